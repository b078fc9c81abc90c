import { Worker } from 'node:worker_threads';
import type { RowSelection } from '../masking/row-selection.ts';
import type { ChoosingAnswer, ChoosingStart } from './choosing-messages.ts';
import type { GatheredIndex } from './key-index-builder.ts';
import { plainIndex } from './plain-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import { errorOf, threadDied } from './thread-fault.ts';

/**
 * Chooses rows in a thread of its own: of twenty million it takes seconds, and a service has others to answer meanwhile.
 * @param index its memory goes to the thread, and is gone here
 * @throws HoldfastError what `chooseRows` throws; the abort's reason
 */
export async function chooseInThread(
  plan: SubsetPlan,
  index: Required<GatheredIndex>,
  signal: AbortSignal,
): Promise<RowSelection> {
  signal.throwIfAborted();
  const { index: plain, moved } = plainIndex(index);
  const start: ChoosingStart = { plan, index: plain };
  const worker = new Worker(PROGRAM, { workerData: start, transferList: moved });
  const answered = Promise.withResolvers<ChoosingAnswer>();
  const giveUp = () => answered.reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  worker.on('message', answered.resolve);
  worker.on('error', (cause) => answered.reject(threadDied(cause)));
  worker.on('exit', () => answered.reject(threadDied()));
  try {
    const answer = await answered.promise;
    if ('fault' in answer) throw errorOf(answer.fault);
    // Names of tables are anything, and what comes from another thread has the members of every object.
    return { tables: Object.assign(Object.create(null), answer.selection.tables) };
  } finally {
    signal.removeEventListener('abort', giveUp);
    await worker.terminate();
  }
}

const PROGRAM = new URL('./choosing-worker.ts', import.meta.url);
