import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DOWNLOADS } from '../core/download.ts';
import { downloadsOf, downloadsSchema } from './downloads-schema.ts';

test('downloads need no settings', () => {
  assert.deepEqual(downloadsOf(undefined), DEFAULT_DOWNLOADS);
  assert.deepEqual(downloadsOf(downloadsSchema.parse({})), DEFAULT_DOWNLOADS);
});

test('what is set of downloads counts', () => {
  const set = {
    defaultResource: 'shop',
    defaultVariant: 'raw',
    maxConcurrent: 5,
    idleSeconds: 10,
    publicUrl: 'https://backups.example.org/',
    limits: { concurrent: 2, bytesPerDay: 10 },
  };
  assert.deepEqual(downloadsOf(downloadsSchema.parse(set)), { ...set, publicUrl: 'https://backups.example.org' });
});

test('what downloads cannot be set to is refused', () => {
  for (const wrong of [
    { publicUrl: 'javascript:alert(1)' },
    { maxConcurrent: 0 },
    { limits: { perDay: 1 } },
    { defaultResource: 'a b' },
    { defaultVariant: 'masked' },
  ])
    assert.equal(downloadsSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
});
