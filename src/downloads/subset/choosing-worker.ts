import { parentPort, workerData } from 'node:worker_threads';
import type { ChoosingAnswer, ChoosingStart } from './choosing-messages.ts';
import { chooseRows } from './closure.ts';
import { wholeIndex } from './plain-index.ts';
import { selectionOf } from './selection.ts';
import { faultOf } from './thread-fault.ts';

if (parentPort === null) throw new Error('This is the program of a worker thread.');
parentPort.postMessage(answerTo(workerData as ChoosingStart));

function answerTo({ plan, index: plain }: ChoosingStart): ChoosingAnswer {
  try {
    const { keys, facts } = wholeIndex(plain);
    if (keys === undefined || facts === undefined) throw new Error('a part of the index did not come');
    const index = { ...keys, ...facts };
    return { selection: selectionOf(plan, index, chooseRows(plan, index)) };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}
