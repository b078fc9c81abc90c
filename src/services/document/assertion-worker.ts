import { parentPort, workerData } from 'node:worker_threads';
import type { JsonValue } from 'jsonpath-rfc9535';
import { messageOf } from '../../core/errors.ts';
import type { DrillFinding } from '../../core/ports/service-drill.ts';
import { type DocumentAssertion, judgeDocument } from './document-assertions.ts';

/** What the thread is started for: a document's canonical text. It then judges one assertion after the other. */
export interface AssertionThreadData {
  document: Uint8Array;
}

const { document } = workerData as AssertionThreadData;
const value = JSON.parse(
  Buffer.from(document.buffer, document.byteOffset, document.byteLength).toString(),
) as JsonValue;

function judge(assertion: DocumentAssertion): DrillFinding {
  try {
    return judgeDocument(value, assertion);
  } catch (error) {
    return { outcome: 'failed', found: `no answer: ${messageOf(error)}` };
  }
}

parentPort?.on('message', (assertion: DocumentAssertion) => parentPort?.postMessage(judge(assertion)));
