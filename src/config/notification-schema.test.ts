import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { notificationOf, notificationsSchema } from './notification-schema.ts';
import { parseYaml } from './parse-yaml.ts';

const chat = (webhook: object, more: object = {}) => [{ name: 'chat', ...more, webhook }];
const problemOf = (input: unknown) => notificationsSchema.safeParse(input).error?.issues[0];

test('a target needs a name and an address; all else has a default', () => {
  const [parsed] = notificationsSchema.parse(chat({ url: 'https://alerts.example.org/holdfast', ca: 'ca.pem' }));
  assert.deepEqual(notificationOf(parsed!, '/etc/holdfast'), {
    name: 'chat',
    subjects: ['*'],
    webhook: {
      url: 'https://alerts.example.org/holdfast',
      format: 'json',
      headers: {},
      caFile: '/etc/holdfast/ca.pem',
      timeoutSeconds: 10,
    },
  });
});

test('secrets do not stand in the file, and are not repeated where they do', () => {
  for (const webhook of [
    { url: 'https://me:hunter2@alerts.example.org/' },
    { url: 'https://x/', secret: 'hunter2' },
    { url: 'https://x/', headers: { Authorization: 'Bearer hunter2' } },
    { url: 'https://x/', headers: { 'X-Gotify-Key': 'hunter2' } },
  ]) {
    const problem = problemOf(chat(webhook));
    assert.equal(problem?.code === 'custom' && problem.params?.secret, true);
    assert.doesNotMatch(problem?.message ?? '', /hunter2/);
  }
  const headers = { Authorization: 'env:TOKEN', Priority: 'high' };
  assert.equal(problemOf(chat({ url: 'file:/etc/holdfast/url', secret: 'env:SECRET', headers })), undefined);
});

test('what cannot be sent to is refused', () => {
  for (const url of ['alerts.example.org', 'ftp://x/', 'https://', '', 'https:///x'])
    assert.match(problemOf(chat({ url }))?.message ?? '', /is an address such as/, url);
  const url = 'https://x/';
  assert.ok(problemOf(chat({ url }, { events: ['backup-late'] })));
  assert.ok(problemOf(chat({ url, headers: { 'Webhook-Id': 'x' } })));
  assert.ok(problemOf(chat({ url, headers: { Title: 'a\nb' } })));
  assert.match(problemOf([...chat({ url }), ...chat({ url })])?.message ?? '', /name of its own/);
});

test('the examples of the documentation are valid', async () => {
  const text = await readFile(new URL('../../docs/notifications.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```yaml\n(?:notifications:\n)?(.*?)```/gs)].map(([, example]) => example ?? '');
  assert.equal(examples.length, 2);
  for (const example of examples) assert.equal(problemOf(parseYaml('an example', example)), undefined, example);
});
