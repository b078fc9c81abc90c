import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { giveBack } from '../src/core/given-back.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { backUpBytes, SMALL, TemporaryRepository } from './temporary-repository.ts';

const MEBIBYTE = 1024 * 1024;
/** Chunks far longer than a slice. */
const SETTINGS = {
  ...SMALL,
  chunker: { algorithm: 'fastcdc-k1' as const, minimum: MEBIBYTE / 4, average: MEBIBYTE / 2, maximum: MEBIBYTE },
  packs: { data: 4 * MEBIBYTE, metadata: 65_536 },
};
/** That many are given copies in small slices. */
const READERS = 20;

describe('many that read at once', () => {
  for (const workers of [0, 2]) {
    for (const encrypt of [true, false]) {
      const where = workers === 0 ? 'without threads' : `by ${workers} threads`;
      test(`each keep every byte that they were given, ${where}, ${encrypt ? 'encrypted' : 'in the clear'}`, async () => {
        const temporary = await TemporaryRepository.create(SETTINGS);
        const { storage, provider } = temporary;
        const repository = await openRepository({ storage, providers: [provider], workers });
        try {
          // What compresses, what does not, and the same chunks twice.
          const half = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(2_000_000, 'All work and no play. ')]);
          const bytes = Buffer.concat([half, half]);
          const { id } = await backUpBytes(repository, bytes, { encrypt });
          const all = await Promise.all(Array.from({ length: READERS }, () => readAll(repository, id)));
          for (const pieces of all) assert.ok(Buffer.concat(pieces).equals(bytes));
          const slices = all.flat().filter(({ buffer }) => buffer.byteLength <= MEBIBYTE / 8);
          assert.ok(slices.length > READERS, `${slices.length} slices`);
          await Promise.all(
            Array.from({ length: READERS }, (_, index) => requireSame(repository, id, bytes, index % 2 === 0)),
          );
        } finally {
          await repository.close();
          await temporary.remove();
        }
      });
    }
  }
});

/** The very pieces that the reader gave. */
async function readAll(repository: Repository, id: string): Promise<Uint8Array[]> {
  const reader = await repository.openSnapshot(id);
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of reader.read()) {
      pieces.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    await reader.close();
  }
  return pieces;
}

/** Gives each piece back one turn after the next one came, whether it was asked to or not. */
async function requireSame(repository: Repository, id: string, bytes: Buffer, isGivenBack: boolean): Promise<void> {
  const reader = await repository.openSnapshot(id);
  const held: Uint8Array[] = [];
  let at = 0;
  let freed = 0;
  const giveFirst = (): void => {
    const piece = held.shift() as Uint8Array;
    assert.ok(bytes.subarray(at, at + piece.length).equals(piece), `bytes from ${at} are others`);
    at += piece.length;
    giveBack(piece);
    if (piece.length === 0) freed++;
  };
  try {
    for await (const piece of reader.read(undefined, undefined, { isGivenBack })) {
      held.push(piece);
      await new Promise((resolve) => setImmediate(resolve));
      if (held.length > 1) giveFirst();
    }
    while (held.length > 0) giveFirst();
  } finally {
    await reader.close();
  }
  assert.equal(at, bytes.length);
  assert.equal(freed > 0, isGivenBack);
}
