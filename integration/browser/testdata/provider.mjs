// A real OAuth server with its own sign-in and consent pages: oidc-provider as it comes. Its issuer is an https name that
// needs no server, since Behalf only compares it (RFC 9207).
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const conf = JSON.parse(process.env.PROVIDER);
const { default: Provider } = await import(pathToFileURL(`${conf.modules}/oidc-provider/lib/index.js`).href);
const provider = new Provider('https://notes.example', {
  clients: [{ client_id: 'behalf', client_secret: conf.secret, redirect_uris: conf.redirects, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' }],
  scopes: ['openid', 'notes:read', 'notes:write'],
  claims: { openid: ['sub'] },
  cookies: { keys: ['browser'] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  pkce: { required: () => true },
});
let exchanges = 0;
provider.on('grant.success', () => { exchanges += 1; });
const serve = provider.callback();
createServer((req, res) => (req.url === '/__exchanges' ? res.end(String(exchanges)) : serve(req, res)))
  .listen(conf.port, '127.0.0.1', () => console.log('ready'));
process.stdin.on('end', () => process.exit(0)).resume(); // whoever started us has gone
