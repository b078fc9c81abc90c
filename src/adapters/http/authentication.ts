import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Principal } from '../../core/access.ts';
import type { Application } from '../../core/application.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Credentials } from '../../core/ports/identity-provider.ts';
import { includesRole, scopedTo } from '../../core/role-scope.ts';
import { isWrittenName, looksLikeToken } from '../../core/user-name.ts';
import { guardAgainstOtherSites, guardAgainstStrangers } from './browser-guard.ts';
import { CHALLENGES, REPEATED_CHALLENGES } from './challenges.ts';
import { credentialsOf } from './credentials.ts';
import { requireUnconfined } from './grants.ts';
import type { HttpServer, RouteRules } from './http-server.ts';
import type { TrustedProxy } from './trusted-proxy.ts';

/** Who calls while no credentials exist: a program of this machine. */
const LOCAL_PRINCIPAL: Principal = { name: 'local', role: 'admin', method: 'local' };

/** Who calls an open route without credentials, and whoever is not known yet. */
export const UNKNOWN_PRINCIPAL: Principal = { name: 'anonymous', role: 'viewer', resources: [] };

/**
 * The door: establishes who calls before anything of the body is read, and refuses those whose role or grants do not do.
 * Refuses to start with a route that does not say who may call it.
 */
export function guardDoor(
  server: HttpServer,
  application: Application,
  options: { allowedHosts: readonly string[]; proxy: TrustedProxy },
): void {
  requireRulesOnEveryRoute(server);
  server.decorateRequest('principal', null as unknown as Principal);
  server.decorateRequest('isKnown', false);
  server.decorateRequest('shownName', undefined);
  let saidUnknownProxy = false;
  server.addHook('onRequest', async (request, reply) => {
    request.principal = UNKNOWN_PRINCIPAL;
    if (!saidUnknownProxy && isForwardedByUnknown(request, options.proxy)) {
      saidUnknownProxy = true;
      const address = request.socket.remoteAddress;
      request.log.warn(
        { address },
        'a proxy that is not among identity.proxy.addresses passes requests on: all its callers count as one, and one who guesses passwords shuts out all',
      );
    }
    const { config } = request.routeOptions;
    const isOpenRoute = request.is404 || config.role === 'anyone';
    if (await application.access.credentialsExist()) {
      await authenticate(request, reply, application, isOpenRoute, options.proxy);
    } else {
      guardAgainstStrangers(
        { method: request.method, headers: request.headers, address: request.socket.remoteAddress, isOpenRoute },
        options.allowedHosts,
      );
      request.principal = LOCAL_PRINCIPAL;
      request.isKnown = true;
    }
    if (!isOpenRoute) requireRole(request, config);
  });
}

async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  application: Application,
  isOpenRoute: boolean,
  proxy: TrustedProxy,
): Promise<void> {
  const { authorization } = request.headers;
  for (const credentials of [proxy.callerOf(request), credentialsOf(authorization)]) {
    if (credentials === undefined) continue;
    noteShownName(request, credentials);
    const principal = await identified(application, credentials, request, reply, isOpenRoute);
    if (principal === undefined) continue;
    // A browser adds a password or a proxy's cookie by itself, to what other sites make it send as well.
    if (credentials.kind !== 'bearer') guardAgainstOtherSites(request);
    request.principal = principal;
    request.isKnown = true;
    return;
  }
  if (isOpenRoute) return;
  reply.header('www-authenticate', authorization === undefined ? CHALLENGES : REPEATED_CHALLENGES);
  if (authorization === undefined) {
    throw new HoldfastError(
      'unauthenticated',
      'credentials-missing',
      'This needs credentials: a name and a password (curl -u NAME), or a token (Authorization: Bearer hf_…). "holdfast user add" and "holdfast token create" make them.',
    );
  }
  throw new HoldfastError(
    'unauthenticated',
    'credentials-invalid',
    'These credentials are unknown, wrong, expired or revoked. Send a name and its password (curl -u NAME), or a token that "holdfast token list" shows as valid (Authorization: Bearer hf_…).',
  );
}

async function identified(
  application: Application,
  credentials: Credentials,
  request: FastifyRequest,
  reply: FastifyReply,
  isOpenRoute: boolean,
): Promise<Principal | undefined> {
  try {
    return await application.access.identify(credentials, request.ip);
  } catch (error) {
    // Whoever looks at the health of the service learns it though the directory is down.
    if (error instanceof HoldfastError && isOpenRoute) return undefined;
    if (error instanceof HoldfastError && typeof error.details.retryAfterSeconds === 'number') {
      reply.header('retry-after', error.details.retryAfterSeconds);
    }
    throw error;
  }
}

/** For the audit log; never what may be a secret in the wrong place. */
function noteShownName(request: FastifyRequest, credentials: Credentials): void {
  if (credentials.kind === 'bearer') return;
  const { name } = credentials;
  request.shownName = isWrittenName(name) && !looksLikeToken(name) ? name.slice(0, 64) : '(unusable)';
}

function isForwardedByUnknown({ headers, socket }: FastifyRequest, proxy: TrustedProxy): boolean {
  return headers['x-forwarded-for'] !== undefined && !proxy.includes(socket.remoteAddress);
}

function requireRole(request: FastifyRequest, config: RouteRules): void {
  if (config.role === undefined || config.role === 'anyone') return;
  const { principal } = request;
  if (!includesRole(principal.role, config.role)) {
    throw new HoldfastError(
      'denied',
      'role-insufficient',
      `This needs the role ${config.role}, and ${principal.name} has the role ${principal.role}. Use credentials of a higher role.`,
      { details: { role: principal.role, requiredRole: config.role } },
    );
  }
  request.principal = scopedTo(principal, config.role);
  if (config.unconfined === true) requireUnconfined(request.principal, 'this');
}

function requireRulesOnEveryRoute(server: HttpServer): void {
  const routes: RouteOptions[] = [];
  server.addHook('onRoute', (route) => {
    routes.push(route);
  });
  server.addHook('onReady', async () => {
    const withoutRole = routes.filter(({ config }) => config?.role === undefined);
    if (withoutRole.length === 0) return;
    throw new HoldfastError(
      'internal',
      'route-without-role',
      `These routes do not say who may call them, so the server does not start: ${withoutRole.map(({ url }) => url).join(', ')}`,
    );
  });
}
