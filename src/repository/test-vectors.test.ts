import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pseudoRandom } from '../../test/golden/inputs.ts';
import { VECTOR_ENTRIES } from '../../test/golden/vector-entries.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { Content } from '../core/tree-entry.ts';
import { createKeyFileProvider } from '../keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from '../keys/passphrase/passphrase-provider.ts';
import { openStorage } from '../storage/local/local-storage.ts';
import { ChunkIdentifier } from './chunk-identifier.ts';
import { Chunker, gearTable } from './chunker.ts';
import { decode } from './codec.ts';
import { contentSegments } from './content-list.ts';
import { decodeIndexSegment } from './index-segment.ts';
import { authenticationOf, type KeySlotObject, openWithAny } from './key-slots.ts';
import { Keyring } from './keyring.ts';
import { decodeMetadata } from './metadata-encoding.ts';
import { footerRecord, PackOpener } from './pack-reader.ts';
import { createRecordCipher, derive } from './record-cipher.ts';
import { openObject } from './sealed-object.ts';
import { readKeyring } from './stored-keyring.ts';
import { TreeBuilder } from './tree-builder.ts';
import { decodeTreePage, encodeTreeEntry } from './tree-entry-codec.ts';

interface Vectors {
  secrets: { repositoryId: string; idKey: string; chunkerKey: string; dataKeyOfEpoch0: string; masterKey: string };
  chunkIds: { plain: string; id: string }[];
  gearTable: { firstFourWords: string; lastWord: string; sha256: string };
  cuts: {
    seed: string;
    length: number;
    sha256: string;
    minimum: number;
    average: number;
    maximum: number;
    ends: number[];
  }[];
  derivedKeys: { info: string; salt: string; key: string }[];
  records: {
    cipher: number;
    purpose: string;
    salt: string;
    ordinal: number;
    associated: string;
    plain: string;
    sealed: string;
  }[];
  codecs: { codec: number; plain: string; encoded: string }[];
  packs: {
    name: string;
    bytes: string;
    frames: { offset: number; length: number; chunks: { id: string; length: number }[] }[];
    chunks: string[];
  }[];
  sealedObjects: { name: string; kind: 7; bytes: string; plain: string; content: unknown }[];
  keySlots: {
    keyFile?: string;
    passphrase?: string;
    slot: KeySlotObject;
    wrappingKey: string;
    masterKey: string;
    authenticationKey: string;
  }[];
  keyring: { name: string; config: string; configHash: string; bytes: string };
  indexSegment: { name: string; bytes: string; packs: { id: string; size: number; header: string }[]; rows: string };
  treeEntries: { describes: string; encoded: string }[];
  treePages: {
    pages: { minimum: number; average: number; maximum: number };
    paths: string[];
    pageLengths: number[];
    root: { length: number; entries: number };
  };
  contentListPage: { segments: { id: string | null; length: number }[]; encoded: string };
}

const from = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What docs/test-vectors.json says must be what the engine does: others write readers from it. */
describe('the published test vectors', () => {
  let vectors: Vectors;
  let keyring: Keyring;
  let folder: string;
  let storage: Storage;
  before(async () => {
    vectors = JSON.parse(await readFile(new URL('../../docs/test-vectors.json', import.meta.url), 'utf8'));
    const { repositoryId, idKey, chunkerKey, dataKeyOfEpoch0 } = vectors.secrets;
    keyring = Keyring.fromSecrets({
      repositoryId,
      idKey: from(idKey),
      chunkerKey: from(chunkerKey),
      epochs: [{ epoch: 0, dataKey: from(dataKeyOfEpoch0) }],
    });
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-vectors-'));
    storage = await openStorage({ folder });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('chunk ids', () => {
    const identifier = new ChunkIdentifier(createSecretKey(from(vectors.secrets.idKey)));
    for (const { plain, id } of vectors.chunkIds) assert.equal(hex(identifier.identify(from(plain))), id);
  });

  test('the gear table', () => {
    const bytes = Buffer.alloc(1024);
    for (const [index, word] of gearTable(from(vectors.secrets.chunkerKey)).entries())
      bytes.writeInt32BE(word, index * 4);
    const { firstFourWords, lastWord, sha256: hash } = vectors.gearTable;
    assert.deepEqual(
      [hex(bytes.subarray(0, 16)), hex(bytes.subarray(1020)), sha256(bytes)],
      [firstFourWords, lastWord, hash],
    );
  });

  test('cut points', () => {
    for (const { seed, length, sha256: hash, ends, ...sizes } of vectors.cuts) {
      const input = pseudoRandom(seed, length);
      assert.equal(sha256(input), hash);
      const chunker = new Chunker(from(vectors.secrets.chunkerKey), sizes);
      const found: number[] = [];
      while ((found.at(-1) ?? 0) < length) found.push(chunker.cut(input, found.at(-1) ?? 0, length));
      assert.deepEqual(found, ends);
      assert.ok(ends.length > 3);
    }
  });

  test('keys of packs and objects', () => {
    const secret = from(vectors.secrets.dataKeyOfEpoch0);
    for (const { info, salt, key } of vectors.derivedKeys) assert.equal(hex(derive(secret, from(salt), info, 32)), key);
  });

  test('records of each cipher', () => {
    const secret = createSecretKey(from(vectors.secrets.dataKeyOfEpoch0));
    assert.deepEqual(
      vectors.records.map(({ cipher }) => cipher),
      [0, 1, 2],
    );
    for (const { cipher, purpose, salt, ordinal, associated, plain, sealed } of vectors.records) {
      const records = createRecordCipher(cipher, secret, from(salt), purpose);
      assert.equal(hex(records.open(ordinal, from(associated), from(sealed))), plain);
      // With a random IV the same plain bytes seal to other ones.
      if (cipher === 2) continue;
      const again = Buffer.alloc(records.sealedLength(from(plain).length));
      records.seal(ordinal, from(associated), [from(plain)], again, 0);
      assert.equal(hex(again), sealed);
    }
  });

  test('codecs', () => {
    assert.deepEqual(
      vectors.codecs.map(({ codec }) => codec),
      [0, 1, 2],
    );
    for (const { codec, plain, encoded } of vectors.codecs)
      assert.equal(hex(decode(codec, from(encoded), from(plain).length)), plain);
  });

  test('packs of each cipher: header, frames, footer, trailer, name', () => {
    for (const { name, bytes, frames, chunks } of vectors.packs) {
      const pack = from(bytes);
      assert.equal(name, `packs/${sha256(pack).slice(0, 2)}/${sha256(pack)}`);
      const opener = new PackOpener(name, pack.subarray(0, 64), keyring);
      const footer = opener.openFooter(footerRecord(pack, name));
      assert.deepEqual(
        footer.map(({ chunks: inside, ...frame }) => ({
          ...frame,
          chunks: inside.map(({ id, length }) => ({ id: hex(id), length })),
        })),
        frames,
      );
      const found = frames.flatMap(({ offset, length, chunks: inside }) => {
        const { body } = opener.openFrame(pack.subarray(offset, offset + length));
        let at = 0;
        return inside.map(({ id, length: size }) => {
          const plain = body.subarray(at, at + size);
          opener.verifyChunk(from(id), plain);
          at += size;
          return hex(plain);
        });
      });
      assert.deepEqual(found.sort(), chunks.toSorted());
    }
  });

  test('sealed objects of each cipher', () => {
    assert.equal(vectors.sealedObjects.length, 3);
    for (const { name, kind, bytes, plain, content } of vectors.sealedObjects) {
      const opened = openObject(keyring, from(bytes), { kind, name });
      assert.equal(hex(opened), plain);
      assert.deepEqual(decodeMetadata(opened), content);
    }
  });

  test('key slots of a key file and of passphrases', async () => {
    for (const [index, vector] of vectors.keySlots.entries()) {
      const { keyFile, passphrase, slot, wrappingKey, masterKey, authenticationKey } = vector;
      const provider = await providerOf(`${index}.key`, keyFile, passphrase);
      assert.equal(hex((await provider.wrappingKeyFor(slot)) ?? Buffer.alloc(0)), wrappingKey);
      const opened = await openWithAny([slot], vectors.secrets.repositoryId, [provider]);
      assert.equal(opened?.masterKey.export().toString('hex'), masterKey);
      const key = derive(from(masterKey), Buffer.alloc(0), 'holdfast key slot authentication', 32);
      assert.equal(hex(key), authenticationKey);
      assert.equal(
        authenticationOf(slot, vectors.secrets.repositoryId, createSecretKey(from(masterKey))),
        slot.authentication,
      );
    }
  });

  async function providerOf(name: string, keyFile?: string, passphrase?: string): Promise<KeyProvider> {
    if (passphrase !== undefined) return createPassphraseProvider(async () => passphrase);
    await writeFile(path.join(folder, name), keyFile ?? '');
    return createKeyFileProvider(path.join(folder, name));
  }

  test('the keyring', async () => {
    const { name, config, configHash, bytes } = vectors.keyring;
    await storage.putNew(name, from(bytes));
    const master = createSecretKey(from(vectors.secrets.masterKey));
    const read = await readKeyring(storage, vectors.secrets.repositoryId, master, 3, Buffer.from(config));
    assert.equal(sha256(Buffer.from(config)), configHash);
    assert.equal(hex(read.secrets().idKey), vectors.secrets.idKey);
    assert.equal(hex(read.secrets().chunkerKey), vectors.secrets.chunkerKey);
    assert.equal(read.dataKey(0).export().toString('hex'), vectors.secrets.dataKeyOfEpoch0);
  });

  test('an index segment', () => {
    const { name, bytes, packs, rows } = vectors.indexSegment;
    assert.equal(name, `index/${sha256(from(bytes))}`);
    const segment = decodeIndexSegment(keyring, name, from(bytes));
    assert.equal(hex(segment.rows), rows);
    assert.deepEqual(
      segment.packs.map(({ idHex, size, header }) => ({ id: idHex, size, header: hex(header) })),
      packs,
    );
  });

  test('tree entries', () => {
    assert.equal(vectors.treeEntries.length, VECTOR_ENTRIES.length);
    for (const [index, { encoded }] of vectors.treeEntries.entries()) {
      const entry = VECTOR_ENTRIES[index]!.entry;
      assert.equal(hex(encodeTreeEntry(entry)), encoded);
      assert.equal(decodeTreePage(from(encoded)).entries[0]?.path, entry.path);
    }
  });

  test('where pages of a tree end', async () => {
    const { pages, paths, pageLengths, root } = vectors.treePages;
    const sizes: number[] = [];
    const builder = new TreeBuilder({
      pages,
      storePages: async (stored) =>
        stored.map((page) => {
          sizes.push(page.length);
          return { id: createHash('sha256').update(page).digest(), length: page.length };
        }),
      storeIndex: async (inline) => ({ inline }),
    });
    for (const each of paths) {
      const bytes = encodeTreeEntry({ path: each, type: 'fifo', mode: 0o644, uid: 1, gid: 1, modifiedAt: 0n });
      await builder.append({ bytes, ends: Uint32Array.of(bytes.length), paths: [each] });
    }
    const built = await builder.finish();
    assert.deepEqual(sizes, pageLengths);
    assert.deepEqual({ length: built.length, entries: built.entries }, root);
  });

  test('a page of a list of chunks', async () => {
    const { segments, encoded } = vectors.contentListPage;
    const content: Content = { depth: 1, pages: [{ id: Buffer.alloc(32), length: 0 }] };
    const found: { id: string | null; length: number }[] = [];
    for await (const { id, length } of contentSegments(content, async () => from(encoded)))
      found.push({ id: id === null ? null : hex(id), length });
    assert.deepEqual(found, segments);
  });
});
