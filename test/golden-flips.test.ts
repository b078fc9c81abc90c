import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { createKeyFileProvider } from '../src/keys/keyfile/keyfile-provider.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';

const GOLDEN = path.join(import.meta.dirname, 'golden');
const HEADER = 64;
/** Positions looked at in the rest of an object. */
const SPREAD = 10;
/** Objects of a kind, the largest ones among them. */
const MOST_OBJECTS = 6;

/** Every class of bytes: headers, frames, footers, trailers, rows of the index, trees, snapshots, rounds, the keyring, key slots, config. */
for (const name of ['repository-v1', 'repository-v1-cbc'])
  describe(`a flipped bit anywhere in the golden ${name}`, () => {
    const keyFile = createKeyFileProvider(path.join(GOLDEN, `${name}.key`));
    let storage: Storage;
    before(async () => {
      storage = await openStorage({ folder: path.join(GOLDEN, name) });
      assert.equal(
        await foundIn(flipped(storage, '', 0), keyFile),
        undefined,
        'nothing is found where nothing was flipped',
      );
    });
    after(() => storage.close());

    for (const prefix of ['packs/', 'index/', 'snapshots/', 'updates/', 'trash/', 'gc/', 'keyring/', 'config'])
      test(`is found in ${prefix}`, async (context) => {
        const keys = prefix === 'config' ? ['config'] : await largest(storage, prefix);
        let flips = 0;
        for (const [number, key] of keys.entries()) {
          const bytes = await storage.get(key);
          // Of the first object of a kind, every byte of its header.
          for (const at of placesIn(bytes.length, number === 0)) {
            const found = await foundIn(flipped(storage, key, at), keyFile);
            assert.ok(found !== undefined, `byte ${at} of ${bytes.length} of ${key} was flipped, and nobody noticed`);
            flips++;
          }
        }
        context.diagnostic(`${flips} flips in ${keys.length} objects`);
      });

    test('is found in the slot of the key that opens it', async () => {
      for (const { key } of await storage.list('keys/')) {
        const bytes = await storage.get(key);
        if ((JSON.parse(bytes.toString()) as { kind: string }).kind !== 'keyfile') continue;
        for (const at of placesIn(bytes.length, false)) {
          // White space between fields says nothing.
          if (/\s/.test(String.fromCharCode(bytes[at]!))) continue;
          assert.ok((await foundIn(flipped(storage, key, at), keyFile)) !== undefined, `byte ${at} of ${key}`);
        }
      }
    });
  });

async function largest(storage: Storage, prefix: string): Promise<string[]> {
  const listed = (await storage.list(prefix)).toSorted((a, b) => b.size - a.size);
  return listed.slice(0, MOST_OBJECTS).map(({ key }) => key);
}

function placesIn(length: number, wholeHeader: boolean): number[] {
  const places = new Set([0, length - 1, length - 12, length - 40].filter((at) => at >= 0));
  if (wholeHeader) for (let at = 0; at < Math.min(HEADER, length); at++) places.add(at);
  for (let step = 0; step < SPREAD; step++) places.add(Math.floor((length * step) / SPREAD));
  return [...places].sort((a, b) => a - b);
}

/** @returns what opening the repository, or a check of everything, says */
async function foundIn(storage: Storage, provider: KeyProvider): Promise<string | undefined> {
  try {
    const repository = await openRepository({ storage, providers: [provider], workers: 0 });
    const { findings } = await repository.check({ level: 4 });
    return findings.find(({ severity }) => severity !== 'warning')?.code;
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}

/** The same storage with one bit of one object changed; nothing is written to it. */
function flipped(storage: Storage, wanted: string, at: number): Storage {
  const change = (bytes: Buffer, offset: number): Buffer => {
    const copy = Buffer.from(bytes);
    if (at >= offset && at < offset + copy.length) copy[at - offset]! ^= 1 << (at % 8);
    return copy;
  };
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'get')
        return async (key: string) => change(await target.get(key), key === wanted ? 0 : Number.POSITIVE_INFINITY);
      if (name === 'getRange')
        return async (key: string, offset: number, length: number) =>
          change(await target.getRange(key, offset, length), key === wanted ? offset : Number.POSITIVE_INFINITY);
      if (name === 'putNew') return async () => 'created';
      if (name === 'replace' || name === 'delete' || name === 'close') return async () => undefined;
      if (name === 'allocate') return undefined;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
