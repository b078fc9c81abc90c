import { RandomNumbers } from './random-numbers.ts';

/**
 * Changes about 1 % of a stream, all of it within the first tenth: of the blocks there every tenth on average is written
 * over with a fresh one, and some fresh ones are put in between, cut at odd lengths, so that all that follows is shifted.
 *
 * @param bytes length of `original`
 * @param fresh where new blocks come from; must not end early
 */
export function* editNearFront(
  original: Iterable<Buffer>,
  fresh: Iterator<Buffer>,
  bytes: number,
  seed: number,
): Generator<Buffer> {
  const random = new RandomNumbers(seed);
  let position = 0;
  for (const block of original) {
    const chosen = position < bytes / 10 && random.below(10) === 0;
    position += block.length;
    if (!chosen) {
      yield block;
      continue;
    }
    const replacement = take(fresh);
    if (random.below(4) === 0) {
      yield replacement.subarray(0, 1 + random.below(replacement.length));
      yield block;
    } else {
      yield replacement;
    }
  }
}

function take(blocks: Iterator<Buffer>): Buffer {
  const next = blocks.next();
  if (next.done) throw new Error('The stream of fresh blocks ended before all edits were made.');
  return next.value;
}
