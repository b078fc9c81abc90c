import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Application } from '../../core/application.ts';
import { UNKNOWN_PRINCIPAL } from './authentication.ts';
import type { HttpServer } from './http-server.ts';

/** Calls without valid credentials that are recorded in a minute, whatever the answer: strangers must not be able to fill the disk. */
const STRANGERS_PER_MINUTE = 60;

/**
 * Records each call of a route that has an audit name, and each call that was denied, before its answer leaves. A record that
 * cannot be written is logged; by then the deed is done and the caller gets its answer.
 */
export function keepAuditTrail(server: HttpServer, application: Application, now: () => number = Date.now): void {
  server.decorateRequest('auditSubject', undefined);
  server.decorateRequest('auditDetails', undefined);
  server.decorateRequest('isByTicket', false);
  let strangers = 0;
  let minuteBegan = 0;

  server.addHook('onSend', async (request, reply) => {
    const failedToSignIn = !request.isKnown && request.shownName !== undefined;
    const outcome = failedToSignIn ? 'denied' : outcomeOf(reply.statusCode);
    const { audit } = request.routeOptions.config;
    if (audit === undefined && outcome !== 'denied') return;
    // Who holds a ticket is a stranger too until they are given something: a ticket is good for any number of refusals.
    if (!request.isKnown || request.isByTicket) {
      if (now() - minuteBegan > 60_000) {
        minuteBegan = now();
        strangers = 0;
      }
      if (++strangers > STRANGERS_PER_MINUTE) return;
      if (!request.isKnown) logFailedSignIn(request, reply);
    }
    await record(application, request, reply, outcome);
  });
}

/** Records that an answer whose beginning was sent already did not reach its end. */
export async function recordBrokenAnswer(
  application: Application,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await record(application, request, reply, 'failure');
}

/** Records a call whose answer did not go through Fastify: its end is known only when all was sent. */
export async function recordEnd(
  application: Application,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: 'success' | 'failure',
): Promise<void> {
  await record(application, request, reply, outcome);
}

async function record(
  application: Application,
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: 'success' | 'failure' | 'denied',
): Promise<void> {
  const { config, url } = request.routeOptions;
  const action = config.audit ?? `${request.method} ${url ?? 'unknown'}`;
  const subject = request.auditSubject ?? pathId(request);
  try {
    await application.audit.record({
      // Who sends too many requests is refused before anybody looks who it is.
      actor: (request.isKnown ? request.principal : UNKNOWN_PRINCIPAL).name,
      action,
      outcome,
      details: { status: reply.statusCode, requestId: request.id, ...callerOf(request), ...request.auditDetails },
      ...(subject === undefined ? {} : { subject }),
      address: request.ip,
    });
  } catch (error) {
    request.log.error({ err: error, requestId: request.id, action }, 'a call could not be recorded in the audit log');
  }
}

/** How the caller is known; of one who is not, the name that was shown. */
function callerOf({ principal, isKnown, shownName }: FastifyRequest): Record<string, unknown> {
  if (!isKnown) return shownName === undefined ? {} : { shownName };
  return principal.method === undefined ? {} : { method: principal.method };
}

function logFailedSignIn(request: FastifyRequest, reply: FastifyReply): void {
  const { shownName, id: requestId, ip: address } = request;
  if (shownName === undefined) return;
  request.log.warn({ shownName, address, requestId, status: reply.statusCode }, 'somebody could not sign in');
}

function outcomeOf(status: number): 'success' | 'failure' | 'denied' {
  if (status < 400) return 'success';
  return status === 401 || status === 403 ? 'denied' : 'failure';
}

function pathId(request: FastifyRequest): string | undefined {
  const parameters: unknown = request.params;
  if (typeof parameters !== 'object' || parameters === null || !('id' in parameters)) return undefined;
  return typeof parameters.id === 'string' ? parameters.id.slice(0, 200) : undefined;
}
