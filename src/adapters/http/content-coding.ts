import type { Transform } from 'node:stream';
import { constants, createGzip, createZstdCompress, zstdCompressSync } from 'node:zlib';
import type { DownloadFormat } from '../../core/ports/service-download.ts';

export type ContentCoding = 'identity' | 'gzip' | 'zstd';

export const CONTENT_CODINGS: readonly ContentCoding[] = ['identity', 'gzip', 'zstd'];

const SAMPLE_BYTES = 64 * 1024;
/** What a coding must leave of a sample at most to be worth it. */
const WORTH = 0.9;
const GZIP_LEVEL = 5;
const ZSTD_LEVEL = 3;

/** The coding that a client wants most, of those that there are (RFC 9110, 12.5.3); zstd where it has no preference. */
export function acceptedCoding(header: string | undefined): ContentCoding {
  if (header === undefined) return 'identity';
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight) || 0);
  }
  const weightOf = (name: string): number => weights.get(name) ?? weights.get('*') ?? 0;
  const [zstd, gzip] = [weightOf('zstd'), weightOf('gzip')];
  if (zstd <= 0 && gzip <= 0) return 'identity';
  if ((weights.get('identity') ?? 0) > Math.max(zstd, gzip)) return 'identity';
  return zstd >= gzip ? 'zstd' : 'gzip';
}

/** Whether coding makes content smaller, by what it is and by its first bytes. */
export function isWorthCoding(format: DownloadFormat, first: Uint8Array): boolean {
  if (format === 'sql' || format === 'json') return true;
  if (format === 'zip') return false;
  const sample = first.subarray(0, SAMPLE_BYTES);
  return zstdCompressSync(sample).length < sample.length * WORTH;
}

/**
 * Codes content. Its first bytes leave at once. Where the source fails, all that it gave before leaves, and the coding is not ended.
 */
export async function* codedBytes(
  source: AsyncIterable<Uint8Array>,
  coding: 'gzip' | 'zstd',
): AsyncGenerator<Uint8Array> {
  const coder = coding === 'gzip' ? createGzip({ level: GZIP_LEVEL }) : newZstdCoder();
  const outputs: Buffer[] = [];
  coder.on('data', (output: Buffer) => outputs.push(output));
  const broken = new Promise<never>((_resolve, reject) => coder.once('error', reject));
  broken.catch(() => undefined);
  const pieces = source[Symbol.asyncIterator]();
  let isFirst = true;
  try {
    for (;;) {
      let piece: IteratorResult<Uint8Array>;
      try {
        piece = await pieces.next();
      } catch (error) {
        await Promise.race([flushed(coder), broken]);
        yield* outputs.splice(0);
        throw error;
      }
      if (piece.done === true) break;
      await Promise.race([written(coder, piece.value), broken]);
      if (isFirst) await Promise.race([flushed(coder), broken]);
      isFirst = false;
      yield* outputs.splice(0);
    }
    const isOver = new Promise<void>((resolve) => coder.once('end', resolve));
    coder.end();
    await Promise.race([isOver, broken]);
    yield* outputs.splice(0);
  } finally {
    coder.destroy();
    await pieces.return?.();
  }
}

function newZstdCoder(): Transform {
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
}

function written(coder: Transform, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    coder.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}

function flushed(coder: Transform): Promise<void> {
  return new Promise((resolve) => {
    (coder as Transform & { flush(done: () => void): void }).flush(resolve);
  });
}
