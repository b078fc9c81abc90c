import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openStorage } from '../storage/local/local-storage.ts';
import { ChunkIdentifier } from './chunk-identifier.ts';
import { ChunkReader } from './chunk-reader.ts';
import { IndexStore } from './index-store.ts';
import { Keyring } from './keyring.ts';
import { PACK_KIND } from './pack-format.ts';
import { PackWriter, type WrittenPack } from './pack-writer.ts';
import { CIPHER_GCM } from './record-cipher.ts';

test('frames that several ask for at once are kept like others, and not counted twice', async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-chunk-reader-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const storage = await openStorage({ folder });
  const keyring = Keyring.create(randomBytes(16).toString('hex'), new Date());
  const index = new IndexStore(storage, () => keyring);
  const packs: WrittenPack[] = [];
  const writer = new PackWriter(
    storage,
    keyring,
    {
      kind: PACK_KIND.metadata,
      cipher: CIPHER_GCM,
      codec: { name: 'raw', level: 0 },
      packSize: 16 * FRAME,
      frameTarget: FRAME,
      verify: true,
    },
    (pack) => packs.push(pack),
  );
  const identifier = new ChunkIdentifier(keyring.idKey);
  const ids = Array.from({ length: 6 }, () => {
    const bytes = randomBytes(FRAME);
    const id = identifier.identify(bytes);
    writer.append(id, bytes);
    return id;
  });
  await writer.finish();
  await index.add(packs);

  let reads = 0;
  const counting = {
    ...storage,
    getRange: (...range: Parameters<typeof storage.getRange>) => {
      reads++;
      return storage.getRange(...range);
    },
  };
  const reader = new ChunkReader(counting, () => keyring, index);
  for (const id of ids) await Promise.all(Array.from({ length: 8 }, () => reader.read(id)));
  const before = reads;
  for (const id of ids) await reader.read(id);
  assert.equal(reads, before);
});

/** Bytes; six of them are kept easily, eight times as many are not. */
const FRAME = 100_000;
