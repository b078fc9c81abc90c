import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import { tableContent } from '../content/table-contents.ts';
import { KeyIndexBuilder } from './key-index-builder.ts';
import type { IndexAnswer, IndexMessage, IndexStart } from './key-index-messages.ts';

if (parentPort === null) throw new Error('This is the program of a worker thread.');
await serve(parentPort, workerData as IndexStart);

async function serve(port: MessagePort, { dialect, plan }: IndexStart): Promise<void> {
  const answer = (message: IndexAnswer) => port.postMessage(message);
  try {
    const builder = new KeyIndexBuilder(plan);
    const content = await tableContent(dialect);
    await content.scan(received(port), builder, new AbortController().signal);
    const { tables, references, places, roots } = builder.finish();
    const plain = roots.map(({ chosen, sorting }) => ({
      ...(chosen === undefined ? {} : { chosen: { bytes: chosen.bytes, rows: chosen.rows } }),
      ...(sorting === undefined ? {} : { sorting }),
    }));
    const moved = [...references, ...places, ...roots.map(({ sorting }) => sorting)].flatMap(
      (array) => array?.buffer ?? [],
    );
    const message: IndexAnswer = { kind: 'index', index: { tables, references, places, roots: plain } };
    port.postMessage(message, moved as ArrayBuffer[]);
  } catch (error) {
    answer({ kind: 'fault', error: faultOf(error) });
  }
  port.close();
}

async function* received(port: MessagePort): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let hasEnded = false;
  let wake: (() => void) | undefined;
  port.on('message', (message: IndexMessage) => {
    if (message.kind === 'end') hasEnded = true;
    else pieces.push(message.bytes);
    wake?.();
  });
  for (;;) {
    const piece = pieces.shift();
    if (piece !== undefined) {
      yield piece;
      port.postMessage({ kind: 'more' } satisfies IndexAnswer);
    } else if (hasEnded) return;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}

/** Of errors that are not Holdfast's own nothing is told: they may quote a value. */
function faultOf(error: unknown): Extract<IndexAnswer, { kind: 'fault' }>['error'] {
  if (error instanceof HoldfastError) {
    const { kind, code, message, details } = error;
    return { kind, code, message, details };
  }
  const message = 'The keys of the content could not be read. Nothing is made of it.';
  return { kind: 'internal', code: 'key-index-failed', message, details: {} };
}
