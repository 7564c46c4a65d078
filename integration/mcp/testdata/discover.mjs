// Asks the official client's own code whether metadata that a server names is of the resource that was called.
//
// Reads {"url"} from standard input: an MCP endpoint that answers 401. Prints the metadata's resource and whether it will do.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.env.MODULES, "x.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { discoverOAuthProtectedResourceMetadata, extractWWWAuthenticateParams } = await load("@modelcontextprotocol/sdk/client/auth.js");
const { checkResourceAllowed, resourceUrlFromServerUrl } = await load("@modelcontextprotocol/sdk/shared/auth-utils.js");

const { url } = JSON.parse(readFileSync(0, "utf8"));
const challenge = extractWWWAuthenticateParams(await fetch(url, { method: "POST" }));
const named = await discoverOAuthProtectedResourceMetadata(url, { resourceMetadataUrl: challenge.resourceMetadataUrl });
const found = await discoverOAuthProtectedResourceMetadata(url); // by a client that was told nothing
const fits = (m) => checkResourceAllowed({ requestedResource: resourceUrlFromServerUrl(url), configuredResource: m.resource });
process.stdout.write(JSON.stringify({ named: named.resource, found: found.resource, fits: fits(named) && fits(found), scope: challenge.scope ?? "" }));
