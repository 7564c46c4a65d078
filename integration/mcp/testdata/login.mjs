// Logs in to an MCP endpoint with the official TypeScript SDK, calls a tool, and calls it again with a token that was refreshed.
// The person's browser is whoever reads "OPEN <url>" on standard output and writes the address that they were sent back to.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , modules, endpoint, clientId, redirect] = process.argv;
const sdk = (file) => import(pathToFileURL(`${modules}/@modelcontextprotocol/sdk/dist/esm/client/${file}.js`));
const { Client } = await sdk("index");
const { StreamableHTTPClientTransport } = await sdk("streamableHttp");
const { UnauthorizedError } = await sdk("auth");

let tokens, verifier;
const provider = {
  redirectUrl: redirect,
  clientMetadata: { client_name: "Test client", redirect_uris: [redirect] },
  clientInformation: () => ({ client_id: clientId }),
  tokens: () => tokens,
  saveTokens: (t) => { tokens = t; },
  saveCodeVerifier: (v) => { verifier = v; },
  codeVerifier: () => verifier,
  redirectToAuthorization: (url) => { console.log(`OPEN ${url}`); },
};
const line = () => new Promise((done) => createInterface({ input: process.stdin }).once("line", done));
const call = async () => {
  const client = new Client({ name: "editor", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider }));
  const res = await client.callTool({ name: "github_get_authenticated_user", arguments: {} });
  console.log(`RESULT ${JSON.stringify(res.content)}`);
  await client.close();
};

const back = line();
const transport = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
try {
  await new Client({ name: "editor", version: "1" }).connect(transport);
  throw new Error("connected without a login");
} catch (e) {
  if (!(e instanceof UnauthorizedError)) throw e;
}
await transport.finishAuth(new URL(await back).searchParams.get("code"));
await call();
const first = tokens.refresh_token;
tokens = { ...tokens, access_token: "no longer good" };
await call();
console.log(first !== tokens.refresh_token ? "REFRESHED" : "NOT REFRESHED");
process.exit(0);
