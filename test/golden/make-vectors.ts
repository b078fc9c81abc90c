/**
 * Makes docs/test-vectors.json: an example of each part of the format with all its inputs. Run it only when the format gains a
 * part: `node test/golden/make-vectors.ts`. Sealed bytes that hold random salts change each time; the rest must not.
 */
import { createHash, createHmac, createSecretKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KeyProvider } from '../../src/core/ports/key-provider.ts';
import { createKeyFile } from '../../src/keys/keyfile/key-file.ts';
import { createKeyFileProvider } from '../../src/keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from '../../src/keys/passphrase/passphrase-provider.ts';
import { Chunker, gearTable } from '../../src/repository/chunker.ts';
import { encode } from '../../src/repository/codec.ts';
import { encodeIndexSegment, segmentOf } from '../../src/repository/index-segment.ts';
import { addSlot } from '../../src/repository/key-slots.ts';
import { Keyring, keyringName } from '../../src/repository/keyring.ts';
import { encodeMetadata } from '../../src/repository/metadata-encoding.ts';
import { PACK_KIND, packKey } from '../../src/repository/pack-format.ts';
import { PackWriter, type WrittenPack } from '../../src/repository/pack-writer.ts';
import {
  CIPHER_CBC_HMAC,
  CIPHER_GCM,
  CIPHER_NONE,
  createRecordCipher,
  derive,
} from '../../src/repository/record-cipher.ts';
import { SEALED_KIND, sealObject } from '../../src/repository/sealed-object.ts';
import { TreeBuilder } from '../../src/repository/tree-builder.ts';
import { encodeSegment, encodeTreeEntry } from '../../src/repository/tree-entry-codec.ts';
import { openStorage } from '../../src/storage/local/local-storage.ts';
import { dumpLike, pseudoRandom, sha256 } from './inputs.ts';
import { VECTOR_ENTRIES } from './vector-entries.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesFrom = (start: number): Buffer =>
  Buffer.from(Array.from({ length: 32 }, (_, index) => (start + index) & 255));

const repositoryId = '00112233445566778899aabbccddeeff';
const [idKey, chunkerKey, dataKey, masterKey, salt] = [
  bytesFrom(1),
  bytesFrom(33),
  bytesFrom(65),
  bytesFrom(97),
  bytesFrom(129),
];
const keyring = Keyring.fromSecrets({ repositoryId, idKey, chunkerKey, epochs: [{ epoch: 0, dataKey }] });
const secret = createSecretKey(dataKey);
const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-vectors-'));
const storage = await openStorage({ folder });
const idOf = (plain: Uint8Array): Buffer => createHmac('sha256', idKey).update(plain).digest();

const vectors = {
  about:
    'Examples for docs/repository-format.md. Bytes are hex. Inputs made by rule: block n of "seed" is SHA-256 of the UTF-8 text "<seed> <n>", n = 0, 1, 2 …; the blocks are joined and cut to length.',
  secrets: {
    repositoryId,
    idKey: hex(idKey),
    chunkerKey: hex(chunkerKey),
    dataKeyOfEpoch0: hex(dataKey),
    masterKey: hex(masterKey),
  },
  chunkIds: [Buffer.alloc(0), Buffer.from('holdfast'), pseudoRandom('chunk', 1000)].map((plain) => ({
    plain: hex(plain),
    id: hex(idOf(plain)),
  })),
  gearTable: gear(),
  cuts: [cuts(256, 1024, 4096, 40_000), cuts(262_144, 1_048_576, 4_194_304, 6_000_000)],
  derivedKeys: derivedKeys(),
  records: [CIPHER_NONE, CIPHER_GCM, CIPHER_CBC_HMAC].map(sealedRecord),
  codecs: codecs(),
  packs: [await pack(CIPHER_GCM), await pack(CIPHER_CBC_HMAC), await pack(CIPHER_NONE)],
  sealedObjects: ([CIPHER_GCM, CIPHER_CBC_HMAC, CIPHER_NONE] as const).map(sealedObject),
  keySlots: await keySlots(),
  keyring: keyringVector(),
  indexSegment: indexSegment(),
  treeEntries: VECTOR_ENTRIES.map(({ describes, entry }) => ({ describes, encoded: hex(encodeTreeEntry(entry)) })),
  treePages: await treePages(),
  contentListPage: contentListPage(),
};

await rm(folder, { recursive: true });
const target = path.join(import.meta.dirname, '../../docs/test-vectors.json');
await writeFile(target, `${JSON.stringify(vectors, null, 2)}\n`);

function gear(): object {
  const table = gearTable(chunkerKey);
  const bytes = Buffer.alloc(1024);
  for (const [index, word] of table.entries()) bytes.writeInt32BE(word, index * 4);
  return { firstFourWords: hex(bytes.subarray(0, 16)), lastWord: hex(bytes.subarray(1020)), sha256: sha256(bytes) };
}

function cuts(minimum: number, average: number, maximum: number, length: number): object {
  const input = pseudoRandom('cuts', length);
  const chunker = new Chunker(chunkerKey, { minimum, average, maximum });
  const ends: number[] = [];
  while ((ends.at(-1) ?? 0) < length) ends.push(chunker.cut(input, ends.at(-1) ?? 0, length));
  return { seed: 'cuts', length, sha256: sha256(input), minimum, average, maximum, ends };
}

function derivedKeys(): object[] {
  return ['holdfast pack', 'holdfast object']
    .flatMap((purpose) => ['aes-256-gcm', 'aes-256-cbc', 'aes-256-cbc hmac-sha-256'].map((use) => `${purpose} ${use}`))
    .concat('holdfast plain object hmac-sha-256')
    .map((info) => ({ info, salt: hex(salt), key: hex(derive(secret, salt, info, 32)) }));
}

function sealedRecord(cipher: number): object {
  const plain = Buffer.from('A record that is not a multiple of sixteen.');
  const associated = Buffer.from('associated data');
  const records = createRecordCipher(cipher, secret, salt, 'holdfast pack');
  const sealed = Buffer.alloc(records.sealedLength(plain.length));
  records.seal(7, associated, [plain], sealed, 0);
  return {
    cipher,
    purpose: 'holdfast pack',
    salt: hex(salt),
    ordinal: 7,
    associated: hex(associated),
    plain: hex(plain),
    sealed: hex(sealed),
  };
}

function codecs(): object[] {
  const plain = dumpLike('codec', 600);
  return (['raw', 'gzip', 'zstd'] as const).map((name) => {
    const { codec, bytes } = encode(plain, { name, level: 6 });
    return { codec, plain: hex(plain), encoded: hex(bytes) };
  });
}

async function pack(cipher: number): Promise<object> {
  const chunks = [Buffer.from('first small chunk'), Buffer.from('second small chunk'), dumpLike('pack', 3000)];
  const packs: WrittenPack[] = [];
  const options = {
    kind: PACK_KIND.data,
    cipher,
    codec: { name: 'zstd', level: 3 },
    packSize: 65_536,
    frameTarget: 4096,
    verify: true,
  } as const;
  const writer = new PackWriter(storage, keyring, options, (written) => packs.push(written));
  for (const plain of chunks) writer.append(idOf(plain), plain);
  await writer.finish();
  const { idHex, frames } = packs[0] as WrittenPack;
  return {
    cipher,
    name: packKey(idHex),
    bytes: hex(await storage.get(packKey(idHex))),
    frames: frames.map(({ offset, length, chunks: inside }) => ({
      offset,
      length,
      chunks: inside.map(({ id, length: size }) => ({ id: hex(id), length: size })),
    })),
    chunks: chunks.map(hex),
  };
}

function sealedObject(cipher: 0 | 1 | 2): object {
  const name = 'updates/backup-01KAJ2Q5Z7M9T5W8N3V6X1R4DF/00000001';
  const content = { version: 1, held: true, metadata: { tags: { a: 'b' } }, status: 'completed' };
  const plain = encodeMetadata(content);
  const bytes = sealObject(keyring, plain, {
    kind: SEALED_KIND.update,
    name,
    cipher,
    codec: { name: 'zstd', level: 3 },
  });
  return { cipher, name, kind: SEALED_KIND.update, bytes: hex(bytes), plain: hex(plain), content };
}

async function keySlots(): Promise<object[]> {
  const keyFile = path.join(folder, 'vector.key');
  await createKeyFile(keyFile);
  const passphrase = 'ﬁve ångström „of“ Unicode';
  const key = createKeyFileProvider(keyFile);
  const words = createPassphraseProvider(async () => passphrase, { memoryKiB: 64, passes: 2, parallelism: 2 });
  const heavy = createPassphraseProvider(async () => passphrase);
  return [
    { keyFile: await readFile(keyFile, 'utf8'), ...(await slot(key, 'a key file')) },
    { passphrase, ...(await slot(words, 'a „passphrase“\n\u0001"two"')) },
    { passphrase, ...(await slot(heavy, 'as Holdfast makes it')) },
  ];
}

async function slot(provider: KeyProvider, label: string): Promise<object> {
  const made = await addSlot(
    storage,
    repositoryId,
    createSecretKey(masterKey),
    3,
    provider,
    label,
    new Date('2026-11-21T03:00:00Z'),
  );
  const { version, id, kind, createdAt, generation, parameters } = made;
  const sorted = Object.fromEntries(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)));
  const associated = JSON.stringify([repositoryId, version, id, kind, made.label, createdAt, generation, sorted]);
  const wrappingKey = await provider.wrappingKeyFor(made);
  return {
    slot: made,
    associated,
    wrappingKey: hex(wrappingKey ?? Buffer.alloc(0)),
    masterKey: hex(masterKey),
    authenticationKey: hex(derive(masterKey, Buffer.alloc(0), 'holdfast key slot authentication', 32)),
  };
}

function keyringVector(): object {
  const config = '{"a":"config"}\n';
  const bytes = keyring.seal(createSecretKey(masterKey), 3, Buffer.from(config));
  return {
    name: keyringName(3),
    config,
    configHash: createHash('sha256').update(config).digest('hex'),
    bytes: hex(bytes),
  };
}

function indexSegment(): object {
  const chunks = ['one', 'two', 'three'].map((text) => ({ id: idOf(Buffer.from(text)), length: text.length }));
  const packs = [
    {
      idHex: 'aa'.repeat(32),
      size: 900,
      header: pseudoRandom('header a', 64),
      frames: [{ offset: 64, length: 300, chunks: chunks.slice(0, 2) }],
    },
    {
      idHex: 'bb'.repeat(32),
      size: 700,
      header: pseudoRandom('header b', 64),
      frames: [{ offset: 64, length: 200, chunks: chunks.slice(2) }],
    },
  ];
  const segment = segmentOf(packs);
  const { key, bytes } = encodeIndexSegment(keyring, segment);
  return {
    name: key,
    bytes: hex(bytes),
    packs: packs.map(({ idHex, size, header }) => ({ id: idHex, size, header: hex(header) })),
    rows: hex(segment.rows),
  };
}

async function treePages(): Promise<object> {
  const pages = { minimum: 256, average: 512, maximum: 2048 };
  const sizes: number[] = [];
  const builder = new TreeBuilder({
    pages,
    storePages: async (bytes) =>
      bytes.map((page) => ({
        id: createHash('sha256').update(page).digest(),
        length: sizes[sizes.push(page.length) - 1] as number,
      })),
    storeIndex: async (bytes) => ({ inline: bytes }),
  });
  const paths = Array.from({ length: 60 }, (_, index) => `srv/file ${String(index).padStart(2, '0')}`);
  for (const each of paths) {
    const bytes = encodeTreeEntry({ path: each, type: 'fifo', mode: 0o644, uid: 1, gid: 1, modifiedAt: 0n });
    await builder.append({ bytes, ends: Uint32Array.of(bytes.length), paths: [each] });
  }
  const root = await builder.finish();
  return {
    pages,
    entries: 'fifo, mode 420, uid 1, gid 1, mtime 0, in this order',
    paths,
    pageLengths: sizes,
    root: { length: root.length, entries: root.entries },
  };
}

function contentListPage(): object {
  const segments = [
    { id: idOf(Buffer.from('one')), length: 3 },
    { id: null, length: 4096 },
    { id: idOf(Buffer.from('two')), length: 70_000 },
  ];
  return {
    segments: segments.map(({ id, length }) => ({ id: id === null ? null : hex(id), length })),
    encoded: hex(encodeMetadata(segments.map(encodeSegment))),
  };
}
