/**
 * Reads the beginning of a stream and gives it together with the whole stream, in which it comes again.
 * @param length bytes of the beginning; more may come, and less where the stream is shorter
 * @param use what is done with both; the stream is left when that has ended, whatever way
 */
export async function withHead<T>(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
  use: (head: Buffer, whole: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const source = bytes[Symbol.asyncIterator]();
  try {
    const head = await headOf(source, length);
    return await use(head, whole(head, source));
  } finally {
    await source.return?.();
  }
}

async function headOf(source: AsyncIterator<Uint8Array>, least: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let length = 0; length < least; ) {
    const { done, value } = await source.next();
    if (done === true) break;
    pieces.push(value);
    length += value.length;
  }
  return Buffer.concat(pieces);
}

async function* whole(head: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  for (;;) {
    const { done, value } = await source.next();
    if (done === true) return;
    yield value;
  }
}
