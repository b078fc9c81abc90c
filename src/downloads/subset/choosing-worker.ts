import { parentPort, workerData } from 'node:worker_threads';
import type { ChoosingAnswer, ChoosingStart } from './choosing-messages.ts';
import { chooseRows } from './closure.ts';
import { wholeKeyIndex } from './plain-key-index.ts';
import { selectionOf } from './selection.ts';
import { faultOf } from './thread-fault.ts';

if (parentPort === null) throw new Error('This is the program of a worker thread.');
parentPort.postMessage(answerTo(workerData as ChoosingStart));

function answerTo({ plan, index: plain }: ChoosingStart): ChoosingAnswer {
  try {
    const index = wholeKeyIndex(plain);
    return { selection: selectionOf(plan, index, chooseRows(plan, index)) };
  } catch (error) {
    return { fault: faultOf(error) };
  }
}
