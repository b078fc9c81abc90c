import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { crc32c } from './crc32c.ts';
import { readControlFile } from './live-folder.ts';

describe('pg_control of a running server', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-live-folder-'));
    await mkdir(path.join(folder, 'global'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** @param crcAt where the checksum lies, which differs between versions */
  const written = async (crcAt: number, change?: (bytes: Buffer) => void): Promise<void> => {
    const bytes = Buffer.alloc(8192);
    bytes.writeBigUInt64LE(7_000_000_000_000_000_001n, 0);
    bytes.writeUInt32LE(202_209_061, 12);
    bytes.writeBigUInt64LE(0x1_0000_0028n, 40);
    bytes.fill(0xa5, 200, crcAt);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, crcAt)), crcAt);
    change?.(bytes);
    await writeFile(path.join(folder, 'global/pg_control'), bytes);
  };

  test('is read with the system, the version and the place where recovery begins, wherever its checksum lies', async () => {
    for (const crcAt of [288, 292]) {
      await written(crcAt);
      const { systemIdentifier, catalogVersion, redo } = await readControlFile(folder);
      assert.deepEqual([systemIdentifier, catalogVersion], ['7000000000000000001', 202_209_061]);
      assert.equal(redo, 0x1_0000_0028n);
    }
  });

  test('is refused where it is half of one state and half of another, however often it reads the same', async () => {
    await written(288, (bytes) => bytes.writeUInt32LE(7, 40));
    await assert.rejects(readControlFile(folder), { code: 'postgresql-folder-unreadable', message: /damaged/ });
  });
});
