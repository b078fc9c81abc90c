import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { newThreadMemory } from './range-source.ts';
import type { ChunkPlace } from './session-callbacks.ts';
import { fromTransferredError, toTransferredError } from './transferred-error.ts';
import type { WaitingStart } from './waiting-threads.ts';
import { WorkerSession } from './worker-session.ts';

const port = parentPort;
if (port === null) throw new Error('This module runs in a worker thread of the pipeline only.');
const { begin }: WaitingStart = workerData;
const [start] = await once(begin, 'message');
const { storage: reference, settings }: WorkerStart = start;
begin.close();
const module: { openStorage(options: Readonly<Record<string, unknown>>): Promise<Storage> } = await import(
  reference.module
);
const storage = await module.openStorage(reference.options);

const memory = newThreadMemory(storage);
const sessions = new Map<number, WorkerSession>();
const packQuestions = new Map<number, PromiseWithResolvers<IndexedPack>>();
const placeQuestions = new Map<number, PromiseWithResolvers<readonly ChunkPlace[]>>();
let questions = 0;

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      sessions.set(message.session, openSession(message.session, message.open));
      return;
    case 'pack-information':
      packQuestions.get(message.request)?.resolve(message.pack);
      packQuestions.delete(message.request);
      return;
    case 'chunk-places':
      placeQuestions.get(message.request)?.resolve(message.places);
      placeQuestions.delete(message.request);
      return;
    case 'no-answer':
      for (const asked of [packQuestions, placeQuestions]) {
        asked.get(message.request)?.reject(fromTransferredError(message.error));
        asked.delete(message.request);
      }
      return;
    case 'task':
      void answer(message.task, message.session, (session) =>
        session.run(message.module, message.options, message.payload),
      );
      return;
    case 'flush':
      void answer(message.task, message.session, async (session) => {
        await session.flush();
        return undefined;
      });
      return;
    case 'close':
      void close(message);
  }
});

function openSession(number: number, open: Extract<ToWorker, { type: 'open' }>['open']): WorkerSession {
  return new WorkerSession(
    {
      storage,
      settings,
      memory,
      onPack: (pack) => send({ type: 'pack', session: number, pack }),
      packOf: (pack) => ask(packQuestions, (request) => send({ type: 'pack-wanted', request, session: number, pack })),
      placesOf: (ids) =>
        ask(placeQuestions, (request) => send({ type: 'places-wanted', request, session: number, ids })),
    },
    open,
  );
}

function ask<Answer>(
  asked: Map<number, PromiseWithResolvers<Answer>>,
  send: (request: number) => void,
): Promise<Answer> {
  const request = questions++;
  const question = Promise.withResolvers<Answer>();
  asked.set(request, question);
  send(request);
  return question.promise;
}

/** A thread that was started in the place of another one has none of the sessions that were lost with that. */
async function close({ session, task, abort }: Extract<ToWorker, { type: 'close' }>): Promise<void> {
  if (!sessions.has(session)) {
    send({ type: 'result', task, value: undefined, counts: undefined });
    return;
  }
  await answer(task, session, async (open) => {
    sessions.delete(session);
    await open.close(abort);
    return undefined;
  });
}

async function answer(
  task: number,
  number: number,
  work: (session: WorkerSession) => Promise<{ value: unknown; transfer: readonly ArrayBuffer[] } | undefined>,
): Promise<void> {
  const session = sessions.get(number);
  try {
    if (session === undefined)
      throw new HoldfastError('cancelled', 'session-closed', 'The work was given up before this part of it began.');
    const result = await work(session);
    send({ type: 'result', task, value: result?.value, counts: session.counts }, result?.transfer);
  } catch (error) {
    send({ type: 'error', task, error: toTransferredError(error) });
  }
}

function send(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer as ArrayBuffer[]);
}
