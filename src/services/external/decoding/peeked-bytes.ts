/** Bytes of which the first ones are known already. */
export interface PeekedBytes extends AsyncIterableIterator<Uint8Array> {
  /** At least as many as were asked for, or all there are. */
  readonly head: Uint8Array;
  return(): Promise<IteratorResult<Uint8Array>>;
}

/**
 * Reads the first `least` bytes; the result gives them again, and then the rest. Where the source fails before, so does this, and the
 * source is closed.
 */
export async function peek(source: AsyncIterable<Uint8Array>, least: number): Promise<PeekedBytes> {
  const iterator = source[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let isWhole = false;
  for (let length = 0; length < least && !isWhole; ) {
    const next = await iterator.next();
    if (next.done === true) isWhole = true;
    else {
      pieces.push(next.value);
      length += next.value.length;
    }
  }
  const head = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  let isHeadGiven = head.length === 0;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (!isHeadGiven) {
      isHeadGiven = true;
      return { done: false, value: head };
    }
    if (isWhole) return { done: true, value: undefined };
    const result = await iterator.next();
    if (result.done === true) isWhole = true;
    return result;
  };
  const peeked: PeekedBytes = {
    head,
    next,
    return: async () => {
      isHeadGiven = true;
      if (!isWhole) await iterator.return?.();
      isWhole = true;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => peeked,
  };
  return peeked;
}
