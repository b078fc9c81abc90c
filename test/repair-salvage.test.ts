import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { openKeys } from '../src/repository/open-repository.ts';
import { PACK_HEADER_LENGTH } from '../src/repository/pack-format.ts';
import { PackOpener } from '../src/repository/pack-reader.ts';
import { salvageChunks } from '../src/repository/repair/pack-salvage.ts';
import { decodeSettings } from '../src/repository/settings.ts';
import { backUpBytes, TemporaryRepository } from './temporary-repository.ts';

describe('what can be saved of a damaged pack', () => {
  for (const encrypt of [true, false]) {
    describe(encrypt ? 'that is encrypted' : 'that is plain', () => {
      let temporary: TemporaryRepository;
      let pack: Buffer;
      let opener: PackOpener;
      let whole: string[][];
      before(async () => {
        temporary = await TemporaryRepository.create();
        await backUpBytes(temporary.repository, randomBytes(400_000), { encrypt });
        const { storage, provider } = temporary;
        const [{ key } = { key: '' }] = (await storage.list('packs/')).toSorted((a, b) => b.size - a.size);
        pack = await storage.get(key);
        const config = await storage.get('config');
        const { keyring } = await openKeys(storage, decodeSettings(config), config, [provider]);
        opener = new PackOpener(key, pack.subarray(0, PACK_HEADER_LENGTH), keyring);
        whole = saved(pack);
      });
      after(() => temporary.remove());

      /** Ids of the saved chunks, frame by frame. */
      function saved(bytes: Buffer): string[][] {
        return [...salvageChunks(bytes, opener)].map((chunks) =>
          chunks.map(({ id }) => Buffer.from(id).toString('hex')),
        );
      }

      test('is everything where nothing is damaged', () => {
        assert.ok(whole.length >= 5);
      });

      test('is all but one frame where one byte is damaged, wherever it is', () => {
        fc.assert(
          fc.property(fc.nat(pack.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
            const damaged = Buffer.from(pack);
            damaged[at] = damaged[at]! ^ change;
            const found = new Set(saved(damaged).flat());
            const lost = whole.filter((frame) => frame.some((id) => !found.has(id)));
            assert.ok(lost.length <= 1);
          }),
          { numRuns: 40 },
        );
      });

      test('is all frames that are there in full where a part is cut off, overwritten or shifted', () => {
        const [cut, shift] = [Math.floor(pack.length / 2), 1000];
        assert.ok(saved(pack.subarray(0, cut)).length >= 1);
        const shifted = Buffer.concat([pack.subarray(0, cut), randomBytes(shift), pack.subarray(cut)]);
        assert.ok(saved(shifted).length >= whole.length - 1);
        const overwritten = Buffer.from(pack).fill(0, cut, cut + 20_000);
        assert.ok(saved(overwritten).length >= 2);
      });

      test('is no chunk that is not what its id says, and never takes long', () => {
        const fakes = Buffer.concat([pack.subarray(0, 64), ...Array.from({ length: 5000 }, () => Buffer.from('HFFR'))]);
        assert.deepEqual(saved(fakes), []);
      });
    });
  }
});
