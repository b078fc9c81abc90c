import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DOWNLOADS } from '../core/download.ts';
import { downloadsOf, downloadsSchema } from './downloads-schema.ts';

test('downloads need no settings', () => {
  assert.deepEqual(downloadsOf(undefined, '/etc'), DEFAULT_DOWNLOADS);
  assert.deepEqual(downloadsOf(downloadsSchema.parse({}), '/etc'), DEFAULT_DOWNLOADS);
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
  assert.deepEqual(downloadsOf(downloadsSchema.parse({ ...set, tickets: 5 }), '/etc'), {
    ...set,
    ticketMinutes: 5,
    publicUrl: 'https://backups.example.org',
  });
});

test('tickets can be turned off', () => {
  assert.equal(downloadsOf(downloadsSchema.parse({ tickets: false }), '/etc').ticketMinutes, 0);
});

test('the folders of masking policies and of what they name are looked for from the working folder', () => {
  assert.equal(downloadsOf(downloadsSchema.parse({ policies: './policies' }), '/etc').policyFolder, '/etc/policies');
  assert.equal(downloadsOf(downloadsSchema.parse({ policies: '/srv/policies' }), '/etc').policyFolder, '/srv/policies');
  assert.equal(downloadsOf(downloadsSchema.parse({ transformers: 't' }), '/etc').transformerFolder, '/etc/t');
});

test('what downloads cannot be set to is refused', () => {
  for (const wrong of [
    { publicUrl: 'javascript:alert(1)' },
    { maxConcurrent: 0 },
    { limits: { perDay: 1 } },
    { defaultResource: 'a b' },
    { defaultVariant: 'masked' },
    { tickets: 0 },
    { tickets: 61 },
    { tickets: true },
  ])
    assert.equal(downloadsSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
});
