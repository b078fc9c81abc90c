import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { canonicalText } from '../../src/core/canonical-json.ts';
import { HoldfastError } from '../../src/core/errors.ts';
import { readJsonDocument } from '../../src/core/json-document.ts';
import { readJsonMembers } from '../../src/core/json-members.ts';
import type { JsonValue } from '../../src/core/json-value.ts';
import { listSlots, openWithAny } from '../../src/repository/key-slots.ts';
import { decodeSettings, encodeSettings, newSettings } from '../../src/repository/settings.ts';
import { computeDelta } from '../../src/services/document/delta.ts';
import { checksumOf, rebuildDocument } from '../../src/services/document/document-work.ts';
import type { FuzzedDecoder } from './decoder.ts';
import { time } from './examples.ts';
import { MASTER_KEY, REPOSITORY_ID, storageOf } from './sealing.ts';

const WRAPPING_KEY = Buffer.alloc(32, 8);
const BASE: JsonValue = {
  users: [
    { id: 1, name: 'Ada', tags: ['a', 'b'] },
    { id: 2, name: 'Grace', address: { city: 'New York', zip: '10001' } },
  ],
  settings: { theme: 'dark', '': [], 'a.b': { 'c"d': [[1], [2]] } },
  empty: null,
};
const document = fc
  .tuple(fc.constantFrom('users', 'settings', 'empty', 'new'), fc.jsonValue({ maxDepth: 3 }), fc.boolean())
  .map(([name, value, whole]) => (whole ? value : { ...BASE, [name]: value }) as JsonValue);

export const TEXT_DECODERS: readonly FuzzedDecoder[] = [
  {
    name: 'the settings of a repository',
    form: 'json',
    examples: fc
      .record({
        codec: fc.record({ name: fc.constantFrom('raw', 'gzip', 'zstd'), level: fc.integer({ min: -7, max: 22 }) }),
        cipher: fc.constantFrom('aes-256-gcm', 'aes-256-cbc'),
        inlineFileLimit: fc.nat(65_536),
      })
      .map((choice) => encodeSettings(newSettings(choice, new Date(0)))),
    decode: (bytes) => {
      const settings = decodeSettings(bytes);
      assert.deepEqual(decodeSettings(encodeSettings(settings)), settings);
    },
  },
  {
    name: 'a key slot',
    form: 'json',
    examples: fc
      .record({
        label: fc.string(),
        createdAt: time,
        generation: fc.nat(99_999_999),
        parameters: fc.dictionary(fc.constantFrom('a', 'salt', '1'), fc.jsonValue({ maxDepth: 1 }), {
          noNullPrototype: true,
        }),
      })
      .map(slotOf),
    decode: async (bytes) => {
      const { slots, damaged } = await listSlots(storageOf({ 'keys/x': bytes }));
      for (const { error } of damaged) throw error;
      await openWithAny(slots, REPOSITORY_ID, [
        {
          kind: 'known',
          createWrappingKey: () => Promise.reject(new Error('Nobody asks for this.')),
          wrappingKeyFor: async () => WRAPPING_KEY,
        },
      ]);
    },
  },
  {
    name: 'a delta of a document',
    form: 'json',
    examples: document.map((current) => canonicalText(computeDelta(structuredClone(BASE), current))),
    refuses: ['damaged'],
    decode: (bytes) => rebuilt(canonicalText(BASE), bytes),
  },
  {
    name: 'the document that a delta rests on',
    form: 'json',
    examples: document.map(canonicalText),
    refuses: ['damaged'],
    decode: (bytes) => rebuilt(bytes, Buffer.from('{"additions":[],"changes":[],"deletions":[]}')),
  },
  {
    name: 'a document that is posted',
    form: 'json',
    examples: document.map(canonicalText),
    refuses: ['invalid', 'too-large'],
    decode: (bytes) => canonicalText(readJsonDocument(bytes, { limitBytes: 10_000_000, depthLimit: 1000 })),
  },
  {
    name: 'the members of an object that is posted',
    form: 'json',
    examples: document.map((value) => canonicalText({ document: value, metadata: {} })),
    refuses: ['invalid', 'too-large'],
    decode: (bytes) => readJsonMembers(bytes, { limitBytes: 10_000_000, depthLimit: 1000 }),
  },
];

/** What comes out is not the document whose checksum was recorded: to get as far as that is all that is asked. */
function rebuilt(base: Uint8Array, delta: Uint8Array): void {
  try {
    rebuildDocument([
      { backupId: 'a', checksum: checksumOf(base), stored: 'document', bytes: base },
      { backupId: 'b', checksum: 'sha256:another', stored: 'delta', bytes: delta },
    ]);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'checksum-differs') throw error;
  }
}

/** A slot that its wrapping key opens. */
function slotOf(open: {
  label: string;
  createdAt: string;
  generation: number;
  parameters: Record<string, unknown>;
}): Buffer {
  const slot = { version: 1, id: '01KAJ2Q5Z7M9T5W8N3V6X1R4DF', kind: 'known', ...open };
  const { version, id, kind, label, createdAt, generation, parameters } = slot;
  const nonce = Buffer.alloc(12, 7);
  const cipher = createCipheriv('aes-256-gcm', WRAPPING_KEY, nonce);
  const sorted = Object.fromEntries(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)));
  cipher.setAAD(Buffer.from(JSON.stringify([REPOSITORY_ID, version, id, kind, label, createdAt, generation, sorted])));
  const wrapped = Buffer.concat([nonce, cipher.update(MASTER_KEY.export()), cipher.final(), cipher.getAuthTag()]);
  return Buffer.from(JSON.stringify({ ...slot, wrapped: wrapped.toString('base64') }));
}
