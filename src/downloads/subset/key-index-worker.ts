import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import { tableContent } from '../content/table-contents.ts';
import { KeyIndexBuilder } from './key-index-builder.ts';
import type { IndexAnswer, IndexMessage, IndexStart } from './key-index-messages.ts';
import { plainIndex } from './plain-index.ts';
import { faultOf } from './thread-fault.ts';

if (parentPort === null) throw new Error('This is the program of a worker thread.');
await serve(parentPort, workerData as IndexStart);

async function serve(port: MessagePort, { dialect, plan, parts, isArchive }: IndexStart): Promise<void> {
  const answer = (message: IndexAnswer, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);
  const giveUp = new AbortController();
  try {
    const builder = new KeyIndexBuilder(plan, parts);
    const pieces = received(port, giveUp);
    const content = await tableContent(dialect);
    if (!isArchive) await content.scan(pieces, builder, giveUp.signal);
    else if (content.scanArchive === undefined) throw new Error('archives of this dialect are not known');
    else await content.scanArchive(pieces, builder, giveUp.signal);
    const { index, moved } = plainIndex(builder.finish());
    answer({ kind: 'index', index }, moved);
  } catch (error) {
    answer({ kind: 'fault', fault: faultOf(error) });
  }
  port.close();
}

/** Listens from now on. */
function received(port: MessagePort, giveUp: AbortController): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let hasEnded = false;
  let wake: (() => void) | undefined;
  port.on('message', (message: IndexMessage) => {
    if (message.kind === 'end') hasEnded = true;
    else if (message.kind === 'give-up') giveUp.abort(givenUp());
    else pieces.push(new Uint8Array(message.memory, 0, message.length));
    wake?.();
  });
  async function* all(): AsyncGenerator<Uint8Array> {
    for (;;) {
      giveUp.signal.throwIfAborted();
      const piece = pieces.shift();
      if (piece !== undefined) {
        yield piece;
        const memory = piece.buffer;
        port.postMessage({ kind: 'more', memory } satisfies IndexAnswer, [memory]);
      } else if (hasEnded) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return all();
}

function givenUp(): HoldfastError {
  return new HoldfastError('cancelled', 'operation-cancelled', 'The reading of the keys was given up.');
}
