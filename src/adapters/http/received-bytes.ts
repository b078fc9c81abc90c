import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';

/** How long a sender may send nothing while its bytes are waited for. */
const IDLE_MILLISECONDS = 60_000;

/**
 * The bytes of a request's body as they arrive; memory stays bounded because the sender is slowed down to the reader's pace.
 * @throws HoldfastError `upload-broken` (invalid) where the connection ends before the body does; `upload-too-slow`
 * (unavailable) where nothing arrives for a minute
 */
export async function* receivedBytes(
  body: Readable,
  idleMilliseconds = IDLE_MILLISECONDS,
): AsyncGenerator<Buffer, void, void> {
  const chunks = body[Symbol.asyncIterator]();
  for (;;) {
    const next = await within(idleMilliseconds, body, () => chunks.next());
    if (next.done === true) return;
    yield next.value;
  }
}

/**
 * The whole body in memory.
 * @param limit bytes
 * @throws HoldfastError `body-too-large` (too-large), as early as the announced length tells
 */
export async function receivedBody(request: IncomingMessage, body: Readable, limit: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of receivedBytes(body)) {
    length += chunk.length;
    if (length > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length);
}

function tooLarge(limit: number): HoldfastError {
  return new HoldfastError(
    'too-large',
    'body-too-large',
    `The body is larger than the ${limit} bytes that are allowed here. Send large data as a stream with PUT /resources/{id}/backups, or raise the limit in the configuration.`,
    { details: { limitBytes: limit } },
  );
}

async function within<Value>(milliseconds: number, body: Readable, read: () => Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const idle = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooSlow(milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([read(), idle]);
  } catch (error) {
    body.pause();
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError(
      'invalid',
      'upload-broken',
      'The connection ended before the whole body had arrived; nothing was stored. Send it again.',
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

function tooSlow(milliseconds: number): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'upload-too-slow',
    `Nothing arrived for ${milliseconds / 1000} seconds, so the upload was given up and nothing was stored. Send it again.`,
  );
}
