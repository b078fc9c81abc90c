import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operation } from '../../core/operation.ts';
import type { HttpContext } from './http-context.ts';

/** A comment now and then shows proxies and clients that the connection lives. */
const HEARTBEAT_MILLISECONDS = 15_000;

export const EVENT_STREAM = 'text/event-stream';

/**
 * Answers with server-sent events: one `operation` event for each change, the present state first, one `end` event when it
 * has ended. Ends with the operation, the client's connection or the server.
 */
export function answerOperationEvents(
  { application, shutdown }: HttpContext,
  id: string,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const watching = new AbortController();
  const stop = () => watching.abort();
  reply.raw.once('close', stop);
  const signal = AbortSignal.any([watching.signal, shutdown]);
  const events = Readable.from(withHeartbeats(application.operations.watch(id, signal), signal));
  events.once('error', (error) => request.log.error({ err: error, requestId: request.id }, 'events broke off'));
  return reply.type(EVENT_STREAM).headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' }).send(events);
}

async function* withHeartbeats(states: AsyncIterable<Operation>, signal: AbortSignal): AsyncGenerator<string> {
  yield 'retry: 2000\n\n';
  const iterator = states[Symbol.asyncIterator]();
  let last: Operation | undefined;
  let next = iterator.next();
  try {
    while (!signal.aborted) {
      const state = await heartbeatOr(next);
      if (state === 'heartbeat') {
        yield ': still here\n\n';
        continue;
      }
      if (state.done === true) break;
      last = state.value;
      yield event('operation', last);
      next = iterator.next();
    }
    if (last?.completedAt !== undefined) yield event('end', last);
  } finally {
    await iterator.return?.();
  }
}

async function heartbeatOr<Value>(next: Promise<Value>): Promise<Value | 'heartbeat'> {
  let timer: NodeJS.Timeout | undefined;
  const heartbeat = new Promise<'heartbeat'>((resolve) => {
    timer = setTimeout(() => resolve('heartbeat'), HEARTBEAT_MILLISECONDS);
  });
  try {
    return await Promise.race([next, heartbeat]);
  } finally {
    clearTimeout(timer);
  }
}

function event(name: string, operation: Operation): string {
  return `event: ${name}\ndata: ${JSON.stringify(operation)}\n\n`;
}
