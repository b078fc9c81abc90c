import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Application } from '../../core/application.ts';
import type { Download } from '../../core/download.ts';
import { HoldfastError } from '../../core/errors.ts';
import { untoldFault } from '../../core/variant-outcomes.ts';
import { PROBLEM_MEDIA_TYPE, type Problem, preparedProblem } from './problem.ts';

const SQL_MEDIA_TYPE = 'application/sql; charset=utf-8';

/**
 * Answers an error of a download. What asks for anything may be piped into a database's client, which takes JSON or an empty body for
 * no reason to fail: it gets SQL that fails with the reason, unless it is known that what it asked for is no SQL.
 */
export function downloadRefusal(application: Application, onRefusal: (problem: Problem) => void) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const problem = preparedProblem(error, request, reply);
    onRefusal(problem);
    request.auditDetails = { ...request.auditDetails, code: problem.code, outcome: outcomeOf(problem) };
    const fault = untoldFault(error);
    if (fault !== undefined) {
      request.auditDetails.fault = fault;
      request.log.warn({ fault, requestId: request.id, code: problem.code }, 'a variant was refused for its policy');
    }
    reply.header('vary', 'Authorization, Accept, Accept-Encoding').header('x-accel-buffering', 'no');
    const sql = mayBePiped(request, problem) ? application.downloads.failure(messageOf(problem)) : undefined;
    if (sql !== undefined) return reply.type(SQL_MEDIA_TYPE).send(sql);
    return reply.type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
  };
}

const CLIENT_GONE = 'client-gone';

/** For what failed because its client had gone, and all that was begun for it was ended. */
export function clientGone(cause: unknown): HoldfastError {
  const message = 'The client closed the connection before the first byte.';
  return new HoldfastError('cancelled', CLIENT_GONE, message, { cause });
}

/** Says with an error what the resource can be had as: whoever asks for files pipes nothing into a database. */
export function withFormats(error: unknown, { snapshot }: Download): unknown {
  if (!(error instanceof HoldfastError) || 'formats' in error.details) return error;
  const { kind, code, message, details } = error;
  return new HoldfastError(kind, code, message, { details: { ...details, formats: snapshot.formats }, cause: error });
}

export function outcomeOf({ status, code }: Problem): 'aborted' | 'denied' | 'limited' | 'refused' | 'failed' {
  if (code === CLIENT_GONE) return 'aborted';
  if (status === 401 || status === 403) return 'denied';
  if (status === 429) return 'limited';
  return status < 500 ? 'refused' : 'failed';
}

/** One line: `download failed: 404 download-not-found: …`. */
function messageOf({ status, code, detail }: Problem): string {
  return `Holdfast: ${status} ${code}: ${detail}`;
}

function mayBePiped(request: FastifyRequest, { formats }: Problem): boolean {
  if (request.method === 'HEAD') return false;
  if (Array.isArray(formats) && !formats.includes('sql')) return false;
  const accept = request.headers.accept ?? '*/*';
  return (
    accept.split(',').some((range) => {
      const [type] = range.split(';');
      return ['*/*', 'application/sql', 'application/*', 'text/plain', 'text/*'].includes(
        type?.trim().toLowerCase() ?? '',
      );
    }) && !/json|text\/html/i.test(accept)
  );
}
