import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorKind, HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { CHALLENGES } from './challenges.ts';
import { withoutTickets } from './ticket-path.ts';

/** An error answer by RFC 9457, `application/problem+json`. Further members are the error's details. */
export interface Problem {
  /** Names the sort of problem for ever: `/problems/` and the code. An identifier, no address. */
  type: string;
  title: string;
  status: number;
  /** What happened and what to do next. */
  detail: string;
  code: string;
  /** The path that was asked for. */
  instance: string;
  /** Also in the header `x-request-id` and, for 5xx, in the log. */
  requestId: string;
  [member: string]: unknown;
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  cancelled: 409,
  'too-large': 413,
  unsupported: 422,
  'too-many': 429,
  'wrong-key': 500,
  damaged: 500,
  internal: 500,
  'no-repository': 503,
  locked: 503,
  unavailable: 503,
};

/** Codes whose status HTTP has a more exact word for than their kind. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  'media-type-unsupported': 415,
  'method-not-allowed': 405,
  'idempotency-key-reused': 422,
  'upload-too-slow': 408,
  'range-not-satisfiable': 416,
  'http-version-too-old': 505,
};

const SECONDS_TO_RETRY: Readonly<Record<number, number>> = { 429: 1, 503: 5 };

/** The HTTP status of anything that was thrown. */
export function statusOf(error: unknown): number {
  if (error instanceof HoldfastError) return STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind];
  if (systemErrorCode(error) === 'ENOSPC') return 507;
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    return error.statusCode >= 400 && error.statusCode < 600 ? error.statusCode : 500;
  }
  return 500;
}

/** What the caller is told. Errors that nobody foresaw are told as such: their messages may hold paths or secrets. */
export function problemOf(error: unknown, request: Pick<FastifyRequest, 'id' | 'url'>): Problem {
  const status = statusOf(error);
  const { code, detail, details } = describe(error, status, request.id);
  const problem: Problem = {
    type: `/problems/${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    instance: withoutTickets(request.url.split('?', 1)[0] ?? request.url),
    requestId: request.id,
  };
  for (const [name, value] of Object.entries(details)) if (!(name in problem)) problem[name] = value;
  return problem;
}

/** Answers with the problem and logs what is the server's fault. */
export async function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const problem = preparedProblem(error, request, reply);
  return reply.type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
}

/** Sets status and headers of the answer to an error, and logs what is the server's fault; the body is the caller's. */
export function preparedProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): Problem {
  const problem = problemOf(error, request);
  if (problem.status >= 500 && !isUnknownCaller(error, request))
    request.log.error({ err: error, requestId: request.id, code: problem.code }, 'request failed');
  const { retryAfterSeconds } = problem;
  const retrySeconds = typeof retryAfterSeconds === 'number' ? retryAfterSeconds : SECONDS_TO_RETRY[problem.status];
  if (retrySeconds !== undefined && !reply.hasHeader('retry-after')) reply.header('retry-after', retrySeconds);
  if (problem.status === 401 && !reply.hasHeader('www-authenticate')) {
    reply.header('www-authenticate', CHALLENGES);
  }
  // The rest of a body that nobody will read must not be taken for the next request.
  if (hasBody(request) && request.raw.complete === false) reply.header('connection', 'close');
  for (const name of HEADERS_OF_SUCCESS) reply.removeHeader(name);
  reply.code(problem.status);
  return problem;
}

/** Whoever could not be asked about the caller has said so, and seldom: strangers must not fill the log. */
function isUnknownCaller(error: unknown, { isKnown }: FastifyRequest): boolean {
  return !isKnown && error instanceof HoldfastError && error.kind === 'unavailable';
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

const HEADERS_OF_SUCCESS = [
  'content-length',
  'content-disposition',
  'etag',
  'location',
  'digest',
  'repr-digest',
  'preference-applied',
];

interface Description {
  code: string;
  detail: string;
  details: Readonly<Record<string, unknown>>;
}

function describe(error: unknown, status: number, requestId: string): Description {
  if (error instanceof HoldfastError) return { code: error.code, detail: error.message, details: error.details };
  if (status === 507) {
    return { code: 'disk-full', detail: 'The disk is full. Free some space and send the request again.', details: {} };
  }
  if (status < 500 && error instanceof Error) {
    return { code: codeOfStatus(status), detail: withoutTickets(sentence(error.message)), details: {} };
  }
  if (status === 503) {
    return { code: 'shutting-down', detail: 'Holdfast is shutting down. Try again in a moment.', details: {} };
  }
  return {
    code: 'internal-error',
    detail: `Something failed inside Holdfast that it did not foresee. Its log has the reason under request id ${requestId}.`,
    details: {},
  };
}

function codeOfStatus(status: number): string {
  return (STATUS_CODES[status] ?? 'bad request').toLowerCase().replaceAll(/[^a-z]+/g, '-');
}

function sentence(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
