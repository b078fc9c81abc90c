import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Principal, Role } from '../../core/access.ts';
import type { Application } from '../../core/application.ts';
import { HoldfastError } from '../../core/errors.ts';
import { guardAgainstStrangers } from './browser-guard.ts';
import { requireUnconfined } from './grants.ts';
import type { HttpServer, RouteRules } from './http-server.ts';

const ROLES: readonly Role[] = ['viewer', 'developer', 'operator', 'admin'];

/** Who calls while no credentials exist: a program of this machine. */
const LOCAL_PRINCIPAL: Principal = { name: 'local', role: 'admin' };

/** Who calls an open route without credentials. */
const UNKNOWN_PRINCIPAL: Principal = { name: 'anonymous', role: 'viewer', resources: [] };

/**
 * The door: establishes who calls before anything of the body is read, and refuses those whose role or grants do not do.
 * Refuses to start with a route that does not say who may call it.
 */
export function guardDoor(server: HttpServer, application: Application, allowedHosts: readonly string[]): void {
  requireRulesOnEveryRoute(server);
  server.decorateRequest('principal', null as unknown as Principal);
  server.decorateRequest('isKnown', false);
  server.addHook('onRequest', async (request, reply) => {
    request.principal = UNKNOWN_PRINCIPAL;
    const { config } = request.routeOptions;
    const isOpenRoute = request.is404 || config.role === 'anyone';
    if (await application.access.credentialsExist()) {
      await authenticate(request, reply, application, isOpenRoute);
    } else {
      guardAgainstStrangers(
        { method: request.method, headers: request.headers, address: request.socket.remoteAddress, isOpenRoute },
        allowedHosts,
      );
      request.principal = LOCAL_PRINCIPAL;
      request.isKnown = true;
    }
    if (!isOpenRoute) requireRole(request.principal, config);
  });
}

/** True where `role` may do all that `needed` may. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  application: Application,
  isOpenRoute: boolean,
): Promise<void> {
  const token = bearerToken(request.headers.authorization);
  const principal = token === undefined ? undefined : await application.access.authenticate(token);
  if (principal !== undefined) {
    request.principal = principal;
    request.isKnown = true;
    return;
  }
  if (isOpenRoute) return;
  if (request.headers.authorization === undefined) {
    throw new HoldfastError(
      'unauthenticated',
      'credentials-missing',
      'This needs credentials. Send the header: Authorization: Bearer hf_… (holdfast token create makes a token).',
    );
  }
  reply.header('www-authenticate', 'Bearer realm="holdfast", error="invalid_token"');
  throw new HoldfastError(
    'unauthenticated',
    'credentials-invalid',
    'These credentials are unknown, expired or revoked. Send the header: Authorization: Bearer hf_… with a token that holdfast token list shows as valid.',
  );
}

function requireRole(principal: Principal, config: RouteRules): void {
  if (config.role === undefined || config.role === 'anyone') return;
  if (!includesRole(principal.role, config.role)) {
    throw new HoldfastError(
      'denied',
      'role-insufficient',
      `This needs the role ${config.role}, and ${principal.name} has the role ${principal.role}. Use a token of a higher role.`,
      { details: { role: principal.role, requiredRole: config.role } },
    );
  }
  if (config.unconfined === true) requireUnconfined(principal, 'this');
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
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
