import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { pseudoRandom } from '../../test/golden/inputs.ts';
import type { Storage } from '../core/ports/storage.ts';
import { openStorage } from '../storage/local/local-storage.ts';
import { Keyring } from './keyring.ts';
import { PACK_HEADER_LENGTH, PACK_KIND, packKey } from './pack-format.ts';
import { footerRecord, PackOpener } from './pack-reader.ts';
import { PackWriter, type WrittenPack } from './pack-writer.ts';
import { CIPHER_GCM, CIPHER_NONE } from './record-cipher.ts';

const keyring = Keyring.create('00112233445566778899aabbccddeeff', new Date(0));
const random = pseudoRandom('chunks', 4 << 20);

interface Sizes {
  packSize: number;
  frameTarget: number;
  chunks: readonly number[];
  cipher: number;
}

describe('the blocks in which packs are put together', () => {
  let folder: string;
  let local: Storage;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pack-writer-'));
    local = await openStorage({ folder });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Memory that is page-aligned and written from directly, and memory that is copied, exactly as long as was asked for. */
  function storages(): Storage[] {
    const copying: Storage = Object.create(local);
    copying.beginNew = () => local.beginNew();
    copying.allocate = (length) => Buffer.alloc(length, 0xee);
    return [local, copying];
  }

  async function requireWhole(storage: Storage, { packSize, frameTarget, chunks, cipher }: Sizes): Promise<void> {
    const packs: WrittenPack[] = [];
    const codec = { name: 'raw', level: 0 } as const;
    const options = { kind: PACK_KIND.data, cipher, codec, packSize, frameTarget, verify: true };
    const writer = new PackWriter(storage, keyring, options, (pack) => packs.push(pack));
    const wanted = chunks.map((length, at) => random.subarray(at * 7, at * 7 + length));
    for (const [at, plain] of wanted.entries()) {
      writer.append(idOf(at), plain);
      await writer.drain(2);
    }
    await writer.finish();
    const found = new Map<string, Buffer>();
    for (const { idHex, frames, size } of packs) {
      const key = packKey(idHex);
      const bytes = await local.get(key);
      assert.equal(bytes.length, size);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), idHex);
      const opener = new PackOpener(key, bytes.subarray(0, PACK_HEADER_LENGTH), keyring);
      assert.equal(opener.openFooter(footerRecord(bytes, key)).length, frames.length);
      for (const { offset, length } of frames) {
        const opened = opener.openFrame(bytes.subarray(offset, offset + length));
        let at = 0;
        for (const { id, length: plain } of opened.chunks) {
          found.set(Buffer.from(id).toString('hex'), Buffer.from(opened.body.subarray(at, at + plain)));
          at += plain;
        }
      }
    }
    for (const [at, plain] of wanted.entries()) assert.ok(found.get(idOf(at).toString('hex'))?.equals(plain));
  }

  test('hold a whole pack wherever its trailer falls', async () => {
    const [packSize, frameTarget] = [65_536, 4096];
    for (const storage of storages()) {
      const spare = storage.allocate?.(0).length ?? 0;
      const block = packSize + 2 * frameTarget + spare;
      // The header, two frames of a chunk each, and the footer, in the clear.
      const others = PACK_HEADER_LENGTH + 2 * (12 + 44) + 12 + 4 + 2 * (12 + 36);
      for (let short = -2; short <= 18; short++)
        await requireWhole(storage, {
          ...{ packSize, frameTarget, cipher: CIPHER_NONE },
          chunks: [60_000, block - short - others - 60_000],
        });
    }
  });

  test('give back every chunk, whatever the sizes of packs, frames and chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 65_536, max: 200_000 }),
        fc.oneof(fc.constant(4096), fc.integer({ min: 4096, max: 300_000 })),
        fc.array(fc.oneof(fc.nat(3000), fc.nat(100_000), fc.integer({ min: 1, max: 3_000_000 })), { maxLength: 20 }),
        fc.constantFrom(CIPHER_NONE, CIPHER_GCM),
        async (packSize, frameTarget, chunks, cipher) => {
          for (const storage of storages()) await requireWhole(storage, { packSize, frameTarget, chunks, cipher });
        },
      ),
      { numRuns: 25 },
    );
  });
});

function idOf(at: number): Buffer {
  return createHash('sha256').update(`${at}`).digest();
}
