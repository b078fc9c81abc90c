import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { NotificationTarget, WebhookConfiguration } from '../src/core/notification-configuration.ts';
import type { Notification } from '../src/core/ports/notifier.ts';
import { createPeopleNotifier } from '../src/notifiers/people-notifier.ts';
import { createWebhookCourier } from '../src/notifiers/webhook/webhook-courier.ts';
import { certificate } from './certificate.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { skipWithout } from './installed-programs.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const KEY = Buffer.alloc(32, 7);
const SECRETS: Record<string, string> = {
  'env:SIGNING': `whsec_${KEY.toString('base64')}`,
  'env:AUTHORIZATION': 'Bearer T0KEN-of-the-header',
  'env:BAD_HEADER': 'T0KEN\nof-two-lines',
  'env:NO_ADDRESS': 'T0KEN-without-an-address',
  'env:BAD_PASSWORD': 'http://me:100%T0KEN@127.0.0.1:9/',
};
const NOW = new Date('2026-11-22T02:30:00.500Z');
const FAILED: Notification = {
  type: 'backup-failed',
  subject: 'shop',
  message: 'The backup of shop failed: The disk is full.',
  details: { code: 'disk-full' },
};

describe('a webhook', () => {
  test('gets each notification with a signature by Standard Webhooks', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    const { notifier, lines } = notifierTo(`${receiver.url}/hooks/T0KEN`, {
      secret: 'env:SIGNING',
      headers: { Authorization: 'env:AUTHORIZATION', Priority: 'high' },
    });
    await notifier.notify(FAILED);
    await notifier.close?.();
    const [{ path: where, headers, body }] = receiver.received as [(typeof receiver.received)[0]];
    assert.equal(where, '/hooks/T0KEN');
    assert.deepEqual(
      [headers['content-type'], headers.authorization, headers.priority, headers['user-agent']],
      ['application/json', 'Bearer T0KEN-of-the-header', 'high', 'Holdfast/1.2.3'],
    );
    const { id, ...sent } = JSON.parse(body);
    assert.deepEqual(sent, {
      ...FAILED,
      at: NOW.toISOString(),
      host: 'web1',
      title: 'Holdfast on web1: backup failed (shop)',
    });
    assert.equal(headers['webhook-id'], id);
    assert.equal(headers['webhook-timestamp'], String(Math.floor(NOW.getTime() / 1000)));
    const digest = createHmac('sha256', KEY).update(`${id}.${headers['webhook-timestamp']}.${body}`).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${digest}`);
    assert.deepEqual(lines, []);
  });

  test('is tried again under the same id where it fails, is busy, or cannot be reached', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    receiver.answers.push(503, 'hang-up', { status: 429, headers: { 'retry-after': '0' } });
    const { notifier, lines } = notifierTo(receiver.url);
    await notifier.notify(FAILED);
    await receiver.until(4);
    await notifier.close?.();
    assert.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 1);
    assert.deepEqual([receiver.received.length, lines], [4, []]);
  });

  test('is not tried again, and not followed, where it refuses or leads elsewhere', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    const other = await WebhookReceiver.start(context);
    for (const [answer, reason] of [
      [400, 'answered 400.'],
      [404, 'answered 404.'],
      ['other-protocol', 'answered 101.'],
      [{ status: 307, headers: { location: other.url } }, 'answered 307. Redirections are not followed'],
    ] as const) {
      receiver.received.splice(0);
      receiver.answers.push(answer);
      const { notifier, lines } = notifierTo(`${receiver.url}/T0KEN`);
      await notifier.notify(FAILED);
      await notifier.close?.();
      assert.equal(receiver.received.length, 1);
      assert.ok(String(lines[0]).includes(`${receiver.host} ${reason}`), reason);
    }
    assert.deepEqual(other.received, []);
  });

  test('that refuses one message again and again gets the others at once', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    receiver.answerTo = (body) => (body.includes('poisoned') ? 500 : undefined);
    const { notifier, lines } = notifierTo(receiver.url, {}, [20]);
    await notifier.notify({ ...FAILED, subject: 'poisoned' });
    await receiver.until(1);
    const subjects = Array.from({ length: 20 }, (_, n) => `shop-${n}`);
    for (const subject of subjects) {
      await notifier.notify({ ...FAILED, type: 'drill-failed', subject });
      await eventually(() => receiver.bodies.some((body) => body.subject === subject), `${subject} waits`);
    }
    const gotten = receiver.bodies.map(({ subject }) => subject).filter((subject) => subject !== 'poisoned');
    assert.deepEqual(gotten, subjects, 'in their order');
    receiver.answerTo = () => undefined;
    await notifier.close?.();
    assert.deepEqual([receiver.bodies.at(-1)?.subject, lines], ['poisoned', []]);
  });

  test('that was away gets all that waited when it is back, each once', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    receiver.answerTo = () => 503;
    const { notifier, lines } = notifierTo(receiver.url, {}, [20]);
    const subjects = Array.from({ length: 30 }, (_, n) => `shop-${n}`);
    for (const subject of subjects) await notifier.notify({ ...FAILED, subject });
    await receiver.until(10);
    const taken: unknown[] = [];
    receiver.answerTo = (body) => {
      taken.push(JSON.parse(body).subject);
      return 204;
    };
    await eventually(() => taken.length >= subjects.length, 'some still wait');
    await notifier.close?.();
    assert.deepEqual(taken.toSorted(), subjects.toSorted());
    assert.deepEqual(lines, []);
  });

  test('that is silent delays nobody who notifies, and is given up after its time', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    receiver.answers.push('silence');
    const { notifier, lines } = notifierTo(receiver.url, { timeoutSeconds: 0.2 }, []);
    await notifier.notify(FAILED);
    assert.equal(lines.length, 0);
    await eventually(() => lines.length > 0, 'it was never given up');
    assert.match(String(lines[0]), /did not answer within 0\.2 s\./);
    await notifier.close?.();
  });

  test('gets what it asks for and nothing else; trouble is all by default', async (context) => {
    const [all, some] = [await WebhookReceiver.start(context), await WebhookReceiver.start(context)];
    const { notifier, logged } = notifierTo(
      all.url,
      {},
      [1],
      [targetTo(some.url, {}, { name: 'some', events: ['backup-completed'], subjects: ['shop*'] })],
    );
    const completed = { ...FAILED, type: 'backup-completed' } as const;
    for (const subject of ['shop', 'blog'])
      for (const event of [FAILED, completed, completed]) await notifier.notify({ ...event, subject });
    await notifier.close?.();
    const gotten = ({ bodies }: WebhookReceiver) => bodies.map(({ type, subject }) => `${type} ${subject}`);
    assert.deepEqual(gotten(all), ['backup-failed shop', 'backup-failed blog']);
    assert.deepEqual(
      gotten(some),
      ['backup-completed shop', 'backup-completed shop'],
      'what went well is told each time',
    );
    assert.equal(logged.length, 6);
  });

  test('gets the same once in an hour, with how often it was held back; the log gets all', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    const { notifier, logged, advance } = notifierTo(receiver.url);
    for (let n = 0; n < 20; n++) await notifier.notify(FAILED);
    advance(3_600_000);
    await notifier.notify(FAILED);
    await notifier.close?.();
    assert.deepEqual(
      receiver.bodies.map(({ repeated }) => repeated),
      [undefined, 19],
    );
    assert.equal(logged.length, 21);
  });

  test('is told of the first failure behind a success, also where nobody is told of the success', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    const { notifier } = notifierTo(receiver.url);
    for (const type of ['backup-failed', 'backup-completed', 'backup-failed'] as const)
      await notifier.notify({ ...FAILED, type });
    await notifier.close?.();
    assert.equal(receiver.received.length, 2);
  });

  test('is named by its host alone in all that is said of it', async (context) => {
    const port = await freePort();
    const receiver = await WebhookReceiver.start(context);
    const address = `${receiver.url}/T0KEN?key=T0KEN`;
    for (const [url, webhook, reason] of [
      [`http://127.0.0.1:${port}/T0KEN`, {}, /127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/],
      ['env:NO_ADDRESS', {}, /What env:NO_ADDRESS holds is no address/],
      ['env:BAD_PASSWORD', {}, /What env:BAD_PASSWORD holds is no address/],
      ['env:MISSING', {}, /env:MISSING is not there/],
      [address, { secret: 'env:NO_ADDRESS' }, /is not base64 of/],
      [address, { headers: { 'X-Token': 'env:BAD_HEADER' } }, /cannot be sent in the header X-Token/],
      [address, { caFile: '/nowhere/ca.pem' }, /\/nowhere\/ca\.pem cannot be read/],
    ] as const) {
      const { notifier, lines, facts } = notifierTo(url, webhook, []);
      await notifier.notify(FAILED);
      await notifier.close?.();
      assert.match(lines[0] ?? '', reason);
      assert.doesNotMatch(JSON.stringify([lines, facts]), /T0KEN/);
    }
    assert.deepEqual(receiver.received, []);
  });

  test('is believed only with a certificate that is trusted', {
    skip: skipWithout({ openssl: 'openssl' }),
  }, async (context) => {
    const folder = await temporaryFolder(context);
    const receiver = await WebhookReceiver.start(context, certificate(folder));
    const distrusting = notifierTo(receiver.url, {}, []);
    await distrusting.notifier.notify(FAILED);
    await distrusting.notifier.close?.();
    assert.match(distrusting.lines[0] ?? '', /cannot be reached \(DEPTH_ZERO_SELF_SIGNED_CERT\)/);
    const trusting = notifierTo(receiver.url, { caFile: path.join(folder, 'certificate.pem') });
    await trusting.notifier.notify(FAILED);
    await trusting.notifier.close?.();
    assert.deepEqual([receiver.received.length, trusting.lines], [1, []]);
  });

  test('may change its address in a file while the service runs', async (context) => {
    const [first, second] = [await WebhookReceiver.start(context), await WebhookReceiver.start(context)];
    const { notifier } = notifierTo('env:ADDRESS');
    for (const receiver of [first, second]) {
      SECRETS['env:ADDRESS'] = `${receiver.url}\n`;
      await notifier.notify({ ...FAILED, subject: receiver.host });
      await receiver.until(1);
    }
    await notifier.close?.();
  });
});

type WebhookTarget = NotificationTarget & { webhook: WebhookConfiguration };

function targetTo(
  url: string,
  webhook: Partial<WebhookConfiguration> = {},
  more: Partial<NotificationTarget> = {},
): WebhookTarget {
  const full: WebhookConfiguration = { url, format: 'json', headers: {}, timeoutSeconds: 30, ...webhook };
  return { name: 'chat', subjects: ['*'], ...more, webhook: full };
}

/** @param pausesMilliseconds after attempts; where there are none, one attempt is all */
function notifierTo(
  url: string,
  webhook: Partial<WebhookConfiguration> = {},
  pausesMilliseconds: readonly number[] = [1, 1, 1, 1],
  others: readonly WebhookTarget[] = [],
) {
  const [lines, facts, logged] = [[] as string[], [] as object[], [] as Notification[]];
  let ahead = 0;
  const clock = { now: () => new Date(NOW.getTime() + ahead) };
  const resolveSecret = async (reference: string) => {
    const secret = SECRETS[reference];
    if (secret === undefined) throw new HoldfastError('invalid', 'secret-missing', `${reference} is not there.`);
    return secret;
  };
  const notifier = createPeopleNotifier({
    log: { notify: async (notification) => void logged.push(notification) },
    targets: [targetTo(url, webhook), ...others].map((configuration) => ({
      configuration,
      courier: createWebhookCourier(configuration.webhook, { resolveSecret, clock, version: '1.2.3', environment: {} }),
    })),
    host: 'web1',
    clock,
    logger: {
      debug: (fact) => void facts.push(fact),
      info: (fact) => void facts.push(fact),
      warn: (fact, line) => {
        facts.push(fact);
        lines.push(line);
      },
    },
    delivery: { pausesMilliseconds, ...(pausesMilliseconds.length === 0 ? { patienceMilliseconds: 0 } : {}) },
  });
  const advance = (milliseconds: number) => {
    ahead += milliseconds;
  };
  return { notifier, lines, facts, logged, advance };
}

async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-notifications-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
