// An OAuth 2 server for tests: oidc-provider as it comes, with rotation of refresh tokens and its detection of reuse.
// What is ours: lifetimes short enough to watch, a clock that can be set ahead, and a grace period in the store.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const conf = JSON.parse(process.env.STORM_PROVIDER);
const lib = (file) => pathToFileURL(`${conf.modules}/oidc-provider/lib/${file}`).href;

let ahead = 0;
const system = Date.now;
Date.now = () => system() + ahead;

const { default: Provider } = await import(lib('index.js'));
const { createMemoryAdapter } = await import(lib('adapters/memory_adapter.js'));

// An account is named by what it wants: "first2.next600.grace30.who" has access tokens of 2 s at consent and of 600 s after a
// refresh, and may use a refresh token again for 30 s.
const wish = (account, what, fallback) => Number((new RegExp(`(?:^|\\.)${what}(\\d+)(?:\\.|$)`)).exec(account ?? '')?.[1] ?? fallback);

const memory = createMemoryAdapter();
const spent = new Map(); // refresh tokens in their grace period, and when it ends
function adapter(model) {
  const store = memory(model);
  if (model !== 'RefreshToken') return store;
  const find = store.find.bind(store);
  const consume = store.consume.bind(store);
  store.find = async (id) => {
    const found = await find(id);
    if (found && spent.has(id) && Date.now() >= spent.get(id)) found.consumed = Math.floor(spent.get(id) / 1000);
    return found;
  };
  store.consume = async (id) => {
    const grace = wish((await find(id))?.accountId, 'grace', 0);
    if (!grace) return consume(id);
    if (!spent.has(id)) spent.set(id, Date.now() + grace * 1000);
    return undefined;
  };
  return store;
}

const provider = new Provider(conf.issuer, {
  adapter,
  clients: [
    { client_id: conf.client, client_secret: conf.secret, redirect_uris: conf.redirects, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'api', client_secret: conf.secret, redirect_uris: [], grant_types: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic' },
  ],
  scopes: ['openid', 'orders'],
  cookies: { keys: ['storm'] },
  features: { introspection: { enabled: true, allowedPolicy: () => true }, revocation: { enabled: true } },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: () => true,
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  ttl: {
    AccessToken: (ctx, token) => wish(token.accountId, ctx.oidc.params.grant_type === 'refresh_token' ? 'next' : 'first', 600),
    RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600, IdToken: 600, AuthorizationCode: 60,
  },
});

// What the server itself says happened, by account.
const seen = {};
const note = (ctx, what) => {
  const who = ctx.oidc?.entities?.RefreshToken?.accountId ?? ctx.oidc?.entities?.RotatedRefreshToken?.accountId ?? ctx.oidc?.entities?.Account?.accountId ?? '?';
  (seen[who] ??= { refreshed: 0, reused: 0, refused: 0, revoked: 0 })[what] += 1;
};
provider.on('grant.success', (ctx) => { if (ctx.oidc.params.grant_type === 'refresh_token') note(ctx, 'refreshed'); });
provider.on('grant.error', (ctx, err) => {
  if (ctx.oidc?.params?.grant_type === 'refresh_token') note(ctx, err.error_detail === 'refresh token already used' ? 'reused' : 'refused');
});
provider.on('grant.revoked', (ctx) => note(ctx, 'revoked'));
provider.on('server_error', (_ctx, err) => console.error(err));

const serve = provider.callback();
const server = createServer((req, res) => {
  if (!req.url.startsWith('/__')) return serve(req, res);
  const url = new URL(req.url, 'http://localhost');
  if (url.pathname === '/__ahead') ahead = Number(url.searchParams.get('ms'));
  res.setHeader('content-type', 'application/json');
  return res.end(JSON.stringify(seen));
});
server.keepAliveTimeout = 120000;
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume(); // whoever started us has gone
