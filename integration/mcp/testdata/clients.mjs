// Calls an MCP server through JavaScript clients as agents use them, without a model.
//
// Reads {"url", "clients": {name: token}, "steps": [{"tool", "arguments"} or {"get": url}]} from standard input and prints, for
// each client, the names of the tools that it would give to a model and, for each call, the text that the model would get to read.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = process.env.MODULES; // node_modules, which are not beside this file
const require = createRequire(join(root, "x.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const job = JSON.parse(readFileSync(0, "utf8"));
const text = (result) => (result.content ?? []).map((c) => c.text ?? "").join("");

// calls yields the calls, and does in between what the other steps ask for.
async function* calls(client) {
  for (const step of job.steps) {
    if (step.get) await fetch(step.get + encodeURIComponent(client));
    else yield step;
  }
}

async function official(name, headers) {
  const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const transport = new StreamableHTTPClientTransport(new URL(job.url), { requestInit: { headers } });
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const texts = [];
  for await (const c of calls(name)) texts.push(text(await client.callTool({ name: c.tool, arguments: c.arguments })));
  await client.close();
  return { tools: tools.map((t) => t.name), texts, revision: transport.protocolVersion ?? "" };
}

async function vercel(name, headers) {
  const { createMCPClient } = await load("@ai-sdk/mcp");
  const client = await createMCPClient({ transport: { type: "http", url: job.url, headers } });
  const tools = await client.tools();
  const texts = [];
  for await (const c of calls(name)) {
    const output = await tools[c.tool].execute(c.arguments, { toolCallId: "1", messages: [] });
    const shown = tools[c.tool].toModelOutput?.({ toolCallId: "1", input: c.arguments, output }) ?? output;
    texts.push(JSON.stringify(await shown));
  }
  await client.close();
  return { tools: Object.keys(tools), texts };
}

const clients = { "@modelcontextprotocol/sdk": official, "@ai-sdk/mcp": vercel };
const out = {};
for (const [name, token] of Object.entries(job.clients)) {
  out[name] = await clients[name](name, { Authorization: "Bearer " + token });
}
process.stdout.write(JSON.stringify(out), () => process.exit(0));
