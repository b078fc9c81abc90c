import { parentPort, workerData } from 'node:worker_threads';
import type { Storage } from '../../core/ports/storage.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { ChunkPlace } from './session-callbacks.ts';
import { ShortLivedMemory } from './short-lived-memory.ts';
import { toTransferredError } from './transferred-error.ts';
import { WorkerSession } from './worker-session.ts';

const port = parentPort;
if (port === null) throw new Error('This module runs in a worker thread of the pipeline only.');
const { storage: reference, settings }: WorkerStart = workerData;
const module: { openStorage(options: Readonly<Record<string, unknown>>): Promise<Storage> } = await import(
  reference.module
);
const storage = await module.openStorage(reference.options);

const memory = { buffers: new ReadBuffers(storage), shortLived: new ShortLivedMemory() };
const sessions = new Map<number, WorkerSession>();
const packRequests = new Map<number, (pack: IndexedPack) => void>();
const placeRequests = new Map<number, (places: readonly ChunkPlace[]) => void>();
let requests = 0;

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      sessions.set(message.session, openSession(message.session, message.open));
      return;
    case 'pack-information':
      packRequests.get(message.request)?.(message.pack);
      packRequests.delete(message.request);
      return;
    case 'chunk-places':
      placeRequests.get(message.request)?.(message.places);
      placeRequests.delete(message.request);
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
      void answer(message.task, message.session, async (session) => {
        await session.close(message.abort);
        sessions.delete(message.session);
        return undefined;
      });
  }
});

function openSession(number: number, open: Extract<ToWorker, { type: 'open' }>['open']): WorkerSession {
  return new WorkerSession(
    {
      storage,
      settings,
      memory,
      onPack: (pack) => send({ type: 'pack', session: number, pack }),
      packOf: (pack) =>
        new Promise((resolve) => {
          const request = requests++;
          packRequests.set(request, resolve);
          send({ type: 'pack-wanted', request, session: number, pack });
        }),
      placesOf: (ids) =>
        new Promise((resolve) => {
          const request = requests++;
          placeRequests.set(request, resolve);
          send({ type: 'places-wanted', request, session: number, ids });
        }),
    },
    open,
  );
}

async function answer(
  task: number,
  number: number,
  work: (session: WorkerSession) => Promise<{ value: unknown; transfer: readonly ArrayBuffer[] } | undefined>,
): Promise<void> {
  const session = sessions.get(number);
  try {
    if (session === undefined) throw new Error(`No session ${number} is open in this thread.`);
    const result = await work(session);
    send({ type: 'result', task, value: result?.value, counts: session.counts }, result?.transfer);
  } catch (error) {
    send({ type: 'error', task, error: toTransferredError(error) });
  }
}

function send(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer as ArrayBuffer[]);
}
