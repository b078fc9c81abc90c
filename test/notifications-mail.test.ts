import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, test } from 'node:test';
import type { HoldfastError } from '../src/core/errors.ts';
import { createMailCourier } from '../src/notifiers/mail/mail-courier.ts';
import { skipWithout } from './installed-programs.ts';
import { MAIL, MAIL_PASSWORD, MailServer } from './mail-server.ts';
import { SAMPLE_MESSAGE } from './sample-message.ts';

const MESSAGE = {
  ...SAMPLE_MESSAGE,
  message: 'The backup of shop failed: The disk is full.\n.\nQUIT',
  repeated: 2,
};

describe('notifications by mail', { skip: skipWithout({ openssl: 'openssl' }) }, () => {
  test('go to everybody who is named, by STARTTLS and with a password', async (context) => {
    const server = await MailServer.start(context, { secure: false });
    await server.courier({ to: ['ops@example.org', 'Fred <fred@example.org>'] }).deliver(MESSAGE, forever());
    const [mail] = server.mails as [(typeof server.mails)[0]];
    assert.deepEqual(mail.to, ['ops@example.org', 'fred@example.org']);
    assert.deepEqual([mail.from, mail.isSecure, mail.user], ['holdfast@example.org', true, 'holdfast']);
    assert.match(mail.content, /^Subject: Holdfast on web1: backup failed \(shop\)\r$/m);
    assert.match(mail.content, /^Message-ID: <7d9e4e60-0000-4000-8000-000000000000@holdfast>\r$/m);
    assert.match(mail.content, /^Auto-Submitted: auto-generated\r$/m);
    assert.match(mail.content, /The disk is full\.\r\n\.\r\nQUIT\r\nThe same was held back 2 times/);
    assert.match(mail.content, /"code": "disk-full"/);
  });

  test('name who sends and who gets them as the configuration does', async (context) => {
    const server = await MailServer.start(context, { secure: false });
    const from = 'Backups: web1 (night) <holdfast@example.org>';
    await server.courier({ from, to: ['"Ops, all" <ops@example.org>'] }).deliver(MESSAGE, forever());
    const [mail] = server.mails as [(typeof server.mails)[0]];
    assert.deepEqual([mail.from, mail.to], ['holdfast@example.org', ['ops@example.org']]);
    assert.match(mail.content, /^From: "Backups: web1 \(night\)" <holdfast@example\.org>\r$/m);
    assert.match(mail.content, /^To: "Ops, all" <ops@example\.org>\r$/m);
  });

  test('go by smtps://, and without TLS where that is said', async (context) => {
    for (const [options, configuration, isSecure] of [
      [{ secure: true }, {}, true],
      [{ disabledCommands: ['STARTTLS', 'AUTH'] }, { plain: true, user: undefined, password: undefined }, false],
    ] as const) {
      const server = await MailServer.start(context, {
        ...options,
        disabledCommands: [...(options.disabledCommands ?? [])],
      });
      await server.courier(configuration).deliver(MESSAGE, forever());
      assert.equal(server.mails[0]?.isSecure, isSecure);
    }
  });

  test('go nowhere without TLS, or to a server that is not trusted, unless that is said', async (context) => {
    const naked = await MailServer.start(context, { secure: false, disabledCommands: ['STARTTLS'] });
    await assert.rejects(naked.courier().deliver(MESSAGE, forever()), { message: /offers no STARTTLS/ });
    for (const secure of [true, false]) {
      const foreign = await MailServer.start(context, { secure });
      const distrusting = foreign.courier({ caFile: undefined });
      await assert.rejects(distrusting.deliver(MESSAGE, forever()), { kind: 'unavailable' });
      assert.deepEqual([naked.mails, foreign.mails, foreign.users], [[], [], []]);
    }
  });

  test('that are refused are told by code, without the password and what the server says', async (context) => {
    const server = await MailServer.start(context, { secure: true });
    const wrong = server.courier({ user: 'nobody' });
    await assert.rejects(wrong.deliver(MESSAGE, forever()), (error: HoldfastError) => {
      assert.deepEqual([error.code, error.kind], ['mail-refused', 'invalid']);
      assert.match(error.message, /does not know this user and password \(EAUTH, 535\)/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    const busy = server.courier({ to: ['busy@example.org'] });
    await assert.rejects(busy.deliver(MESSAGE, forever()), { kind: 'unavailable', message: /450/ });
    const unknown = server.courier({ to: ['unknown@example.org'] });
    await assert.rejects(unknown.deliver(MESSAGE, forever()), { kind: 'invalid', message: /550/ });
    const some = server.courier({ to: ['ops@example.org', 'unknown@example.org'] });
    await assert.rejects(some.deliver(MESSAGE, forever()), {
      code: 'mail-recipients-refused',
      message: /took the mail, but not for unknown@example\.org\./,
    });
    assert.equal(server.mails.length, 1);
  });

  test('are given up at a server that is silent, after their time or when the process ends', async (context) => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    context.after(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const configuration = { ...MAIL, server: `smtp://127.0.0.1:${port}`, timeoutSeconds: 0.2 };
    const impatient = createMailCourier(configuration, async () => MAIL_PASSWORD);
    await assert.rejects(impatient.deliver(MESSAGE, forever()), { kind: 'unavailable' });
    const patient = createMailCourier({ ...configuration, timeoutSeconds: 60 }, async () => MAIL_PASSWORD);
    const ending = new AbortController();
    const delivered = patient.deliver(MESSAGE, ending.signal);
    await once(silent, 'connection');
    ending.abort(new Error('enough'));
    await assert.rejects(delivered, /^Error: enough$/);
    // What is still open would keep this test from ending.
  });
});

const forever = () => new AbortController().signal;
