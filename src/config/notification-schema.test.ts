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

test('mail needs a server, a sender and somebody who gets it; a password goes encrypted alone', () => {
  const mail = (more: object) => [
    { name: 'ops', mail: { server: 'smtp://mail.example.org:587', from: 'me@x.org', to: 'you@x.org', ...more } },
  ];
  const [parsed] = notificationsSchema.parse(mail({ ca: 'ca.pem', user: 'me', password: 'env:MAIL' }));
  assert.deepEqual(notificationOf(parsed!, '/etc/holdfast'), {
    name: 'ops',
    subjects: ['*'],
    mail: {
      server: 'smtp://mail.example.org:587',
      plain: false,
      user: 'me',
      password: 'env:MAIL',
      from: 'me@x.org',
      to: ['you@x.org'],
      caFile: '/etc/holdfast/ca.pem',
      timeoutSeconds: 30,
    },
  });
  for (const wrong of [
    { server: 'mail.example.org' },
    { server: 'smtp://me:hunter2@mail.example.org' },
    { to: [] },
    { to: 'ops' },
    { to: 'fred,ops@x.org' },
    { to: 'mailto:ops@x.org' },
    { from: 'me@x.org\nBcc: all@x.org' },
    { user: 'me' },
    { user: 'me', password: 'hunter2' },
    { user: 'me', password: 'env:MAIL', plain: true },
    { server: 'smtps://mail.example.org', plain: true },
  ]) {
    const problem = problemOf(mail(wrong));
    assert.ok(problem, JSON.stringify(wrong));
    assert.doesNotMatch(problem.message, /hunter2/);
  }
  assert.equal(problemOf(mail({ from: 'Holdfast <me@x.org>', plain: true })), undefined);
  assert.match(problemOf([{ name: 'ops' }])?.message ?? '', /either a webhook or mail/);
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
