import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { type CommandLine, commandLine } from './command-line.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { skipWithout } from './installed-programs.ts';
import { MAIL_PASSWORD, MailServer } from './mail-server.ts';
import { Service } from './service-process.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const KEY = Buffer.alloc(32, 5);
const ENVIRONMENT = { SIGNING: `whsec_${KEY.toString('base64')}` };

interface Told {
  ok: boolean;
  targets: { name: string; place: string; isTaken: boolean; problem?: { code: string; message: string } }[];
}

describe('notifications of the program', { concurrency: 2 }, () => {
  test('of a command are delivered before it ends, signed', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    await configure(
      holdfast,
      `
notifications:
  - name: all
    events: [backup-completed, backup-failed]
    webhook: { url: "file:${await holdfast.put('address', `${receiver.url}/T0KEN\n`)}", secret: env:SIGNING }
`,
    );
    const backup = await holdfast.run(['backup', '-', '--resource', 'shop'], 'content', ENVIRONMENT);
    assert.equal(backup.code, 0, backup.stderr);
    assert.doesNotMatch(backup.stderr, /notification/);
    const [{ path, headers, body }] = receiver.received as [(typeof receiver.received)[0]];
    assert.equal(path, '/T0KEN');
    const told = JSON.parse(body);
    assert.deepEqual([told.type, told.subject], ['backup-completed', 'shop']);
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const digest = createHmac('sha256', KEY).update(signed).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${digest}`);
  });

  test('of a command that fails are delivered too, and change nothing of how it ends', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    const refusing = await freePort();
    await configure(
      holdfast,
      `
hooks:
  - { when: before-backup, command: ["false"] }
notifications:
  - { name: chat, webhook: { url: "${receiver.url}", format: slack } }
  - { name: away, webhook: { url: "http://127.0.0.1:${refusing}/T0KEN" } }
`,
    );
    const backup = await holdfast.run(['backup', '-', '--resource', 'shop'], 'content');
    assert.equal(backup.code, 1);
    assert.match(backup.stderr, /hook before-backup/);
    assert.match(backup.stderr, /warning: The notification backup-failed of shop was not delivered to "away"/);
    assert.doesNotMatch(backup.stderr, /T0KEN/);
    assert.equal(keptIn(holdfast.data), 0, 'a command keeps nothing');
    assert.match(
      String(receiver.bodies[0]?.text),
      /^Holdfast on .+: backup failed \(shop\)\nThe backup of shop failed: /,
    );
  });

  test('of a command whose receiver is silent do not keep it from ending', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    receiver.answers.push('silence');
    await configure(
      holdfast,
      `
notifications:
  - { name: mute, events: [backup-completed], webhook: { url: "${receiver.url}", timeoutSeconds: 60 } }
`,
    );
    const backup = await holdfast.run(['backup', '-', '--resource', 'shop', '--json'], 'content');
    assert.equal(backup.code, 0, backup.stderr);
    assert.match(backup.stderr, /\{"warning":"The notification .* \\"mute\\": The process ended before\./);
  });

  test('of the service tell of a drill that does not pass', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    const configuration = await configure(
      holdfast,
      `
notifications:
  - { name: chat, webhook: { url: "${receiver.url}" } }
`,
    );
    const service = await Service.start(holdfast.data, ['--config', configuration]);
    context.after(() => service.end('SIGTERM'));
    await service.call('POST', '/backups', JSON.stringify({ resourceId: 'shop', data: { text: 'a' } }));
    const assertions = [{ jsonPath: '$.text', equals: 'b' }];
    await service.call('POST', '/resources/shop/drills', JSON.stringify({ assertions }));
    await receiver.until(1);
    const [told] = receiver.bodies;
    assert.deepEqual([told?.type, told?.subject], ['drill-failed', 'shop']);
    assert.match(String(told?.message), /did not pass: /);
    assert.equal((told?.details as { outcome?: string } | undefined)?.outcome, 'failed');
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const)
    test(`of the service that nobody took are delivered when it runs again after ${signal}`, async (context) => {
      const holdfast = await commandLine(context);
      const receiver = await WebhookReceiver.start(context);
      const away = await freePort();
      const chat = `{ name: chat, webhook: { url: "file:${await holdfast.put('address', `${receiver.url}/T0KEN\n`)}" } }`;
      const configuration = await configure(
        holdfast,
        `
notifications:
  - ${chat}
  - { name: gone, webhook: { url: "http://127.0.0.1:${away}/T0KEN" } }
`,
      );
      const first = await Service.start(holdfast.data, ['--config', configuration]);
      receiver.answerTo = () => 500;
      await first.call('POST', '/backups', JSON.stringify({ resourceId: 'shop', data: { text: 'a' } }));
      const assertions = [{ jsonPath: '$.text', equals: 'b' }];
      await first.call('POST', '/resources/shop/drills', JSON.stringify({ assertions }));
      await receiver.until(1);
      await eventually(() => keptIn(holdfast.data) === 2, 'they are not kept');
      await first.end(signal);
      assert.equal(keptIn(holdfast.data), 2);
      assert.doesNotMatch(await everythingIn(holdfast.data), /T0KEN/, 'no address is kept');
      receiver.answerTo = () => undefined;
      const refused = receiver.received.splice(0);

      await configure(holdfast, `notifications:\n  - ${chat}\n`);
      const next = await Service.start(holdfast.data, ['--config', configuration]);
      await receiver.until(1);
      const [{ headers, body }] = receiver.received as [(typeof receiver.received)[0]];
      assert.deepEqual([headers['webhook-id'], body], [refused[0]?.headers['webhook-id'], refused[0]?.body]);
      await next.end('SIGTERM');
      const last = await Service.start(holdfast.data, ['--config', configuration]);
      await last.end('SIGTERM');
      assert.equal(receiver.received.length, 1, 'what was delivered is not kept');
      assert.equal(keptIn(holdfast.data), 0, 'nor what is for a target that is no more');
    });

  test('go by mail as well', { skip: skipWithout({ openssl: 'openssl' }) }, async (context) => {
    const holdfast = await commandLine(context);
    const server = await MailServer.start(context, { secure: true });
    await configure(
      holdfast,
      `
notifications:
  - name: operators
    mail:
      server: ${server.address}
      ca: ${server.authorities}
      user: holdfast
      password: "file:${await holdfast.put('password', `${MAIL_PASSWORD}\n`)}"
      from: holdfast@example.org
      to: ops@example.org
`,
    );
    const told = (await holdfast.json(['notify', 'test'])) as unknown as Told;
    assert.deepEqual(told.targets, [{ name: 'operators', place: new URL(server.address).host, isTaken: true }]);
    assert.match(server.mails[0]?.content ?? '', /^Subject: Holdfast on .*: test \(operators\)/m);
  });

  test('are tried by `notify test`, which says of each whether it was taken', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    const unconfigured = await holdfast.problem(['notify', 'test'], 1);
    assert.equal(unconfigured.code, 'notifications-not-configured');
    await configure(
      holdfast,
      `
notifications:
  - { name: chat, events: [drill-failed], webhook: { url: "${receiver.url}/T0KEN" } }
  - { name: other, webhook: { url: "${receiver.url}/T0KEN", format: text, headers: { Authorization: env:NOT_SET } } }
`,
    );
    const good = (await holdfast.json(['notify', 'test', 'chat'])) as unknown as Told;
    assert.deepEqual(good, { ok: true, targets: [{ name: 'chat', place: receiver.host, isTaken: true }] });
    assert.equal(receiver.bodies[0]?.type, 'test');
    const both = (await holdfast.json(['notify', 'test'], '', 1)) as unknown as Told;
    assert.deepEqual(
      both.targets.map(({ isTaken, problem }) => problem?.code ?? isTaken),
      [true, 'secret-missing'],
    );
    receiver.answers.push(500);
    const told = await holdfast.run(['notify', 'test', 'chat']);
    assert.equal(told.code, 1);
    assert.match(told.stdout, /chat .* not taken: 127\.0\.0\.1:\d+ answered 500\./);
    assert.doesNotMatch(told.stdout + told.stderr, /T0KEN/);
    assert.equal((await holdfast.problem(['notify', 'test', 'chta'], 2)).code, 'usage-notification-unknown');
    await eventually(() => receiver.received.length === 3, 'each is tried once');
  });
});

/** How many notifications the catalogue keeps. */
function keptIn(data: string): unknown {
  const catalogue = new DatabaseSync(path.join(data, 'catalogue.sqlite'), { readOnly: true });
  try {
    const rows = "SELECT count(*) AS kept FROM documents WHERE collection = 'undelivered-notifications'";
    return catalogue.prepare(rows).get()?.kept;
  } finally {
    catalogue.close();
  }
}

/** The bytes of the catalogue, and of what SQLite keeps beside it. */
async function everythingIn(data: string): Promise<string> {
  const names = (await readdir(data)).filter((name) => name.startsWith('catalogue.sqlite'));
  const contents = await Promise.all(names.map((name) => readFile(path.join(data, name), 'latin1')));
  assert.match(contents.join(''), /drill-failed/);
  return contents.join('');
}

/** In the folder that commands run in. */
function configure(holdfast: CommandLine, text: string): Promise<string> {
  return holdfast.put('holdfast.yaml', text);
}
