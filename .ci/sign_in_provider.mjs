// An OpenID provider for .ci/sign-in: oidc-provider, with three accounts in memory and a form that
// asks for a name alone. What a real provider does over months (another key, an outage, a token that
// is wrong in one thing) it does when told to, at a second port.
//
//   node sign_in_provider.mjs --issuer http://127.0.0.1:PORT --control PORT --service http://127.0.0.1:PORT ...
//
// The client's secret is that of CHURN_RISK_OPENID_SECRET. The second port takes JSON and gives JSON:
//   POST /control/rotate           other keys from now on; the old ones are published no more
//   POST /control/token            an access token as the body says: see mint()
//   POST /control/spoil            the next ID token is changed as the body says: see sealed()
//   POST /control/pause, /resume   nobody listens at the provider's port, or somebody again
//   GET  /control/told             how often each path was asked for, and every code and token given out

import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import Provider from 'oidc-provider';

const { values: asked } = parseArgs({
  options: { issuer: { type: 'string' }, control: { type: 'string' }, service: { type: 'string', multiple: true } },
});
const AUDIENCE = 'api://churn-risk';

const accounts = {
  ada: { name: 'Ada Marsh', preferred_username: 'ada@partner.example', tid: 'tenant-1', roles: ['ChurnRisk.Admin'] },
  sam: { name: 'Sam Okoro', preferred_username: 'sam@partner.example', tid: 'tenant-1', roles: ['ChurnRisk.Sales'] },
  mallory: { name: 'Mallory Quill', preferred_username: 'mallory@elsewhere.example', tid: 'tenant-2', roles: ['ChurnRisk.Admin'] },
};

const told = { asked: {}, codes: [], tokens: [] };
const cookieKeys = [randomBytes(24).toString('hex')];
let keys;
let strangers;
let provider;
let serve;
let spoil;

// Keys and tokens.

const kinds = { RS256: ['rsa', { modulusLength: 2048 }], ES256: ['ec', { namedCurve: 'P-256' }] };

function pair(alg) {
  const { publicKey, privateKey } = generateKeyPairSync(...kinds[alg]);
  return { alg, kid: `${alg.toLowerCase()}-${randomBytes(6).toString('hex')}`, publicKey, privateKey };
}

const both = () => ({ RS256: pair('RS256'), ES256: pair('ES256') });

function otherKeys() {
  keys = both();
  provider = made();
  serve = provider.callback();
}

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const without = (nulls) => Object.fromEntries(Object.entries(nulls).filter(([, value]) => value !== null));

// A token by one of the keys, or in one of the ways of pretending to be:
//   alg       what the header says: RS256, ES256; none; HS256, with the public RSA key for a secret
//   by        the key that signs, RS256 or ES256, where it is not that of alg
//   header    further parts of the header; kid instead of the key's own, null for none at all
//   stranger  signed by a key that nobody published, which the header brings along
function sealed(payload, { alg = 'RS256', by = alg, header = {}, stranger = false }) {
  const published = keys[by] ?? keys.RS256;
  const key = stranger ? strangers[published.alg] : published;
  const along = stranger ? { jwk: key.publicKey.export({ format: 'jwk' }) } : {};
  const input = `${encoded(without({ alg, typ: 'JWT', kid: published.kid, ...along, ...header }))}.${encoded(payload)}`;
  if (alg === 'none') {
    return `${input}.`;
  }
  if (alg === 'HS256') {
    const secret = key.publicKey.export({ type: 'spki', format: 'pem' });
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  }
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

// An access token: of an account, for ttl seconds, and with claims changed or, where null, left out.
function mint({ account = 'ada', ttl = 600, claims = {}, ...how }) {
  const now = Math.floor(Date.now() / 1000);
  const exp = now + ttl;
  const of = { iss: asked.issuer, sub: account, aud: AUDIENCE, iat: Math.min(now, exp - 60), exp, ...accounts[account] };
  const token = sealed(without({ ...of, ...claims }), how);
  told.tokens.push(token);
  return token;
}

// The provider.

function made() {
  const job = (alg) => ({
    client_id: `job-${alg.toLowerCase()}`,
    client_secret: 'of-a-job',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  });
  const one = new Provider(asked.issuer, {
    jwks: { keys: Object.values(keys).map(({ alg, kid, privateKey }) => ({ ...privateKey.export({ format: 'jwk' }), alg, kid, use: 'sig' })) },
    clients: [
      {
        client_id: 'churn-risk',
        client_secret: process.env.CHURN_RISK_OPENID_SECRET,
        redirect_uris: asked.service.map((service) => `${service}/sign-in/callback`),
        post_logout_redirect_uris: asked.service.map((service) => `${service}/signed-out`),
      },
      job('RS256'),
      job('ES256'),
    ],
    cookies: { keys: cookieKeys },
    pkce: { methods: ['S256'], required: () => true },
    claims: { openid: ['sub', 'tid', 'roles', 'churn_scope'], profile: ['name', 'preferred_username'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
    // Nobody is asked whether the service may know who they are.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    extraTokenClaims: (_, token) => (token.kind === 'ClientCredentials' ? { tid: 'tenant-1', roles: ['ChurnRisk.Admin'] } : undefined),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource, client) => ({
          scope: '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: client.clientId === 'job-es256' ? 'ES256' : 'RS256' } },
        }),
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          ctx.body = page(`${form}<button form="op.logoutForm" name="logout" value="yes">Sign out here too</button>`);
        },
      },
    },
    renderError(ctx, out) {
      ctx.type = 'html';
      ctx.body = page(`<p id="refused">${out.error}: ${out.error_description}</p>`);
    },
  });
  one.use(async (ctx, next) => {
    await next();
    const code = new URL(ctx.response.get('location') || '/', asked.issuer).searchParams.get('code');
    if (code) {
      told.codes.push(code);
    }
    if (ctx.oidc?.route !== 'token' || ctx.status !== 200) {
      return;
    }
    if (spoil && ctx.body.id_token) {
      const { claims = {}, ...how } = spoil;
      spoil = undefined;
      const payload = JSON.parse(Buffer.from(ctx.body.id_token.split('.')[1], 'base64url'));
      ctx.body = { ...ctx.body, id_token: sealed(without({ ...payload, ...claims }), how) };
    }
    told.tokens.push(...[ctx.body.access_token, ctx.body.id_token].filter(Boolean));
  });
  return one;
}

const page = (body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Provider</title><body>${body}</body></html>`;

async function body(request) {
  let text = '';
  for await (const part of request) {
    text += part;
  }
  return text;
}

async function interaction(request, response) {
  const account = request.method === 'POST' && new URLSearchParams(await body(request)).get('account');
  if (account && accounts[account]) {
    await provider.interactionFinished(request, response, { login: { accountId: account } });
    return;
  }
  await provider.interactionDetails(request, response);
  response.setHeader('Content-Type', 'text/html');
  response.end(page('<form method="post"><label>Name <input name="account" autofocus></label> <button>Sign in</button></form>'));
}

const listener = createServer((request, response) => {
  const { pathname } = new URL(request.url, asked.issuer);
  told.asked[pathname] = (told.asked[pathname] ?? 0) + 1;
  if (!pathname.startsWith('/interaction/')) {
    serve(request, response);
    return;
  }
  interaction(request, response).catch((error) => {
    response.statusCode = 400;
    response.end(page(`<p id="refused">${error.name}</p>`));
  });
});

async function listen() {
  listener.listen(Number(new URL(asked.issuer).port), '127.0.0.1');
  await once(listener, 'listening');
}

async function pause() {
  const closed = once(listener, 'close');
  listener.close();
  listener.closeAllConnections();
  await closed;
}

const controls = {
  'POST /control/rotate': async () => {
    otherKeys();
    return { kids: Object.values(keys).map((key) => key.kid) };
  },
  'POST /control/token': async (how) => ({ token: mint(how) }),
  'POST /control/spoil': async (how) => {
    spoil = how;
    return {};
  },
  'POST /control/pause': async () => (await pause(), {}),
  'POST /control/resume': async () => (await listen(), {}),
  'GET /control/told': async () => told,
};

strangers = both();
otherKeys();
await listen();
createServer(async (request, response) => {
  try {
    const answer = await controls[`${request.method} ${request.url}`](JSON.parse((await body(request)) || '{}'));
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(answer));
  } catch (error) {
    response.statusCode = 400;
    response.end(String(error));
  }
}).listen(Number(asked.control), '127.0.0.1', () => console.log(`provider of ${asked.issuer}`));
