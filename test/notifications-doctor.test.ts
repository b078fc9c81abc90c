import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { certificate } from './certificate.ts';
import { type CommandLine, commandLine } from './command-line.ts';
import { freePort } from './free-port.ts';
import { skipWithout } from './installed-programs.ts';
import { MAIL_PASSWORD, MailServer } from './mail-server.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

interface Finding {
  check: string;
  state: string;
  message: string;
  advice?: string;
}

describe('the doctor', { skip: skipWithout({ openssl: 'openssl' }) }, () => {
  test('says of each webhook whether it could be reached, and sends nothing', async (context) => {
    const holdfast = await commandLine(context);
    const receiver = await WebhookReceiver.start(context);
    const trusted = await receiverWithTls(context);
    const refusing = `127.0.0.1:${await freePort()}`;
    const found = await examined(
      holdfast,
      `
  - { name: chat, webhook: { url: env:CHAT, secret: env:SIGNING, headers: { Authorization: env:CHAT } } }
  - { name: trusted, webhook: { url: "${trusted.receiver.url}/T0KEN", ca: "${trusted.ca}" } }
  - { name: untrusted, webhook: { url: "${trusted.receiver.url}/T0KEN" } }
  - { name: missing, webhook: { url: env:NOT_SET } }
  - { name: no-address, webhook: { url: env:NO_ADDRESS } }
  - { name: no-key, webhook: { url: env:CHAT, secret: env:CHAT } }
  - { name: no-header, webhook: { url: env:CHAT, headers: { X-Key: env:NO_HEADER } } }
  - { name: no-ca, webhook: { url: env:CHAT, ca: /nowhere/ca.pem } }
  - { name: unknown, webhook: { url: "https://nowhere.invalid/T0KEN" } }
  - { name: refusing, webhook: { url: "http://${refusing}/T0KEN" } }
`,
      {
        CHAT: `${receiver.url}/T0KEN`,
        SIGNING: Buffer.alloc(32, 5).toString('base64'),
        NO_ADDRESS: 'T0KEN',
        NO_HEADER: 'T0KEN\nT0KEN',
      },
    );
    const trial = (name: string) => `"holdfast notify test ${name}" sends a test.`;
    assert.deepEqual(found[0], {
      check: 'notifications',
      state: 'ok',
      message: 'chat: env:CHAT can be reached',
      advice: trial('chat'),
    });
    assert.deepEqual([found[1]?.state, found[1]?.message], ['ok', `trusted: ${trusted.receiver.host} can be reached`]);
    for (const [index, name, message, advice] of [
      [2, 'untrusted', /cannot be reached \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.$/, /the authority that signed it in "ca"/],
      [3, 'missing', /The environment variable NOT_SET, .* is not set\.$/, /for the account that Holdfast runs as/],
      [4, 'no-address', /What env:NO_ADDRESS holds is no address/, /the whole address/],
      [5, 'no-key', /not base64 of 24 to 64 bytes\. Make one/, /^"holdfast notify test no-key"/],
      [6, 'no-header', /What env:NO_HEADER holds cannot be sent in the header X-Key/, /one line/],
      [7, 'no-ca', /\/nowhere\/ca\.pem cannot be read/, /Correct "ca"/],
      [
        8,
        'unknown',
        /^unknown: nowhere\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
        /whether the name is right/,
      ],
      [9, 'refusing', /cannot be reached \(ECONNREFUSED\)/, /whether host and port are right/],
    ] as const) {
      assert.equal(found[index]?.state, 'fail', name);
      assert.ok(found[index]?.message.startsWith(`${name}: `), name);
      assert.match(found[index]?.message ?? '', message);
      assert.match(found[index]?.advice ?? '', advice);
      assert.ok(found[index]?.advice?.endsWith(trial(name)), name);
    }
    assert.deepEqual([receiver.received, trusted.receiver.received], [[], []]);
  });

  test('signs in at each mail server, and sends nothing', async (context) => {
    const holdfast = await commandLine(context);
    const server = await MailServer.start(context, { secure: false });
    const naked = await MailServer.start(context, { secure: false, disabledCommands: ['STARTTLS'] });
    const account = (user: string) =>
      `user: ${user}, password: env:PASSWORD, from: holdfast@example.org, to: ops@example.org`;
    const found = await examined(
      holdfast,
      `
  - { name: good, mail: { server: "${server.address}", ca: "${server.authorities}", ${account('holdfast')} } }
  - { name: stranger, mail: { server: "${server.address}", ca: "${server.authorities}", ${account('nobody')} } }
  - { name: untrusted, mail: { server: "${server.address}", ${account('holdfast')} } }
  - { name: naked, mail: { server: "${naked.address}", ca: "${naked.authorities}", ${account('holdfast')} } }
  - { name: away, mail: { server: "smtp://127.0.0.1:${await freePort()}", ${account('holdfast')} } }
`,
      { PASSWORD: MAIL_PASSWORD },
    );
    assert.deepEqual(
      found.map(({ state }) => state),
      ['ok', 'fail', 'fail', 'fail', 'fail'],
    );
    assert.match(found[1]?.message ?? '', /does not know this user and password \(EAUTH, 535\)/);
    assert.match(found[1]?.advice ?? '', /^Correct "user" and "password"/);
    assert.match(found[2]?.message ?? '', /does not let Holdfast in \(DEPTH_ZERO_SELF_SIGNED_CERT\)\.$/);
    assert.match(found[2]?.advice ?? '', /the authority that signed it in "ca"/);
    assert.match(found[3]?.message ?? '', /it offers no STARTTLS\. Use smtps:\/\//);
    assert.match(found[4]?.message ?? '', /^away: 127\.0\.0\.1:\d+ does not let Holdfast in \(ECONNREFUSED\)\.$/);
    assert.match(found[4]?.advice ?? '', /whether host and port are right/);
    assert.deepEqual([server.mails, naked.mails], [[], []]);
    assert.deepEqual(server.users.toSorted(), ['holdfast', 'nobody']);
  });

  test('does not wait longer for what is silent than a message would', async (context) => {
    const holdfast = await commandLine(context);
    const server = await WebhookReceiver.start(context);
    // A web server says nothing to who waits for the greeting of a mail server.
    const mail = `{ server: "smtp://${server.host}", timeoutSeconds: 0.5, from: a@example.org, to: b@example.org }`;
    const [found] = await examined(holdfast, `\n  - { name: silent, mail: ${mail} }\n`, {});
    assert.match(found?.message ?? '', /^silent: 127\.0\.0\.1:\d+ does not let Holdfast in/);
  });

  test('says so where nobody is to be told', async (context) => {
    const holdfast = await commandLine(context);
    const [found] = await examined(holdfast, ' []\n', {});
    assert.deepEqual([found?.state, found?.advice], ['ok', undefined]);
    assert.match(found?.message ?? '', /none are configured/);
  });
});

/** What it says of notifications. No secret is in it, nor in anything else. */
async function examined(holdfast: CommandLine, targets: string, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  await holdfast.put('holdfast.yaml', `notifications:${targets}`);
  const { stdout, stderr, code } = await holdfast.run(['doctor', '--json'], '', environment);
  assert.doesNotMatch(stdout + stderr, /T0KEN|hunter2/);
  const { checks } = JSON.parse(stdout) as { checks: Finding[] };
  const found = checks.filter(({ check }) => check === 'notifications');
  assert.equal(code, checks.some(({ state }) => state === 'fail') ? 1 : 0);
  return found;
}

async function receiverWithTls(context: TestContext): Promise<{ receiver: WebhookReceiver; ca: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-doctor-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const receiver = await WebhookReceiver.start(context, certificate(folder));
  return { receiver, ca: path.join(folder, 'certificate.pem') };
}
