import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { HoldfastError } from '../../src/core/errors.ts';
import type { FuzzedDecoder } from './decoder.ts';

const base = { form: 'bytes', examples: fc.constant(Buffer.from('an example')) } as const;
/** 150 MiB of zeros in ten members. */
const BOMB = Buffer.concat(Array(10).fill(gzipSync(Buffer.alloc(15 * 1024 * 1024), { level: 1 })));

/** Whether it is not the example as it was. */
function isMutated(bytes: Buffer): boolean {
  return bytes.toString() !== 'an example';
}

/** Decoders that nobody should have written, each of which must be found out. */
export const DECODERS: readonly FuzzedDecoder[] = [
  { ...base, name: 'good', decode: (bytes) => bytes },
  {
    ...base,
    name: 'hangs',
    decode: (bytes) => {
      while (isMutated(bytes));
    },
  },
  {
    ...base,
    name: 'never answers',
    decode: (bytes) => (isMutated(bytes) ? new Promise(() => undefined) : undefined),
  },
  {
    ...base,
    name: 'is slow',
    decode: (bytes) => {
      const start = process.threadCpuUsage().user;
      while (isMutated(bytes) && process.threadCpuUsage().user - start < 200_000);
    },
  },
  {
    ...base,
    name: 'throws a TypeError',
    decode: (bytes) => {
      if (isMutated(bytes)) throw new TypeError('of nothing');
    },
  },
  {
    ...base,
    name: 'refuses with another kind',
    decode: (bytes) => {
      if (isMutated(bytes)) throw new HoldfastError('internal', 'wrong-kind', 'Something was wrong.');
    },
  },
  {
    ...base,
    name: 'refuses its examples',
    decode: () => {
      throw new HoldfastError('damaged', 'picky', 'Nothing is good enough.');
    },
  },
  {
    ...base,
    name: 'fills the heap',
    decode: (bytes) => {
      const all: object[] = [];
      while (isMutated(bytes)) all.push({ a: all.length });
    },
  },
  {
    ...base,
    name: 'takes buffers',
    decode: (bytes) => (isMutated(bytes) ? Buffer.alloc(200 * 1024 * 1024, 1) : bytes),
  },
  { ...base, name: 'explodes a bomb', decode: (bytes) => (isMutated(bytes) ? gunzipSync(BOMB).length : bytes) },
];
