import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { WebhookConfiguration } from '../src/core/notification-configuration.ts';
import type { ProxyEnvironment } from '../src/notifiers/webhook/proxy.ts';
import { createWebhookCourier } from '../src/notifiers/webhook/webhook-courier.ts';
import { certificate } from './certificate.ts';
import { commandLine } from './command-line.ts';
import { ConnectProxy } from './connect-proxy.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { skipWithout } from './installed-programs.ts';
import { SAMPLE_MESSAGE } from './sample-message.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

/** Nobody but the proxy knows where it is. */
const NAME = 'receiver.example';
const PASSWORD = 'hunter2 of the proxy';

describe('a webhook behind a proxy', { skip: skipWithout({ openssl: 'openssl' }) }, () => {
  test('is reached through a tunnel, with TLS to the webhook itself', async (context) => {
    const { receiver, proxy, courier } = await behindProxy(context);
    await courier().deliver(SAMPLE_MESSAGE, forever());
    assert.deepEqual(proxy.asked, [`CONNECT ${NAME}:443`]);
    assert.deepEqual([receiver.received.length, receiver.received[0]?.path], [1, '/T0KEN']);
    assert.equal(receiver.received[0]?.headers['proxy-authorization'], undefined);
    await assert.rejects(courier({ caFile: undefined }).deliver(SAMPLE_MESSAGE, forever()), {
      message: new RegExp(`^${NAME} cannot be reached by the proxy 127.0.0.1:${proxy.port} \\(DEPTH_ZERO_SELF_SIGNED`),
    });
    assert.equal(receiver.received.length, 1);
  });

  test('is reached without TLS where its address says so', async (context) => {
    const receiver = await WebhookReceiver.start(context);
    const port = Number(new URL(receiver.url).port);
    const proxy = await ConnectProxy.start(context, { [`${NAME}:80`]: port }, PASSWORD);
    const environment = { http_proxy: addressOf(proxy) };
    const courier = courierTo({ url: `http://${NAME}/T0KEN?key=1` }, environment);
    await courier.deliver(SAMPLE_MESSAGE, forever());
    assert.deepEqual(proxy.asked, [`POST http://${NAME}/T0KEN?key=1`]);
    assert.equal(receiver.bodies[0]?.id, SAMPLE_MESSAGE.id);
    const signedIn = courierTo({ url: 'env:ADDRESS' }, environment, `http://sam:s%20am@${NAME}/T0KEN`);
    await signedIn.deliver(SAMPLE_MESSAGE, forever());
    assert.equal(proxy.asked.at(-1), `POST http://${NAME}/T0KEN`);
    assert.equal(receiver.received[1]?.headers.authorization, `Basic ${Buffer.from('sam:s am').toString('base64')}`);
    proxy.status = 407;
    await assert.rejects(courier.deliver(SAMPLE_MESSAGE, forever()), { kind: 'unavailable', message: /407/ });
  });

  test('is tried again where the proxy refuses, is away or silent, and no password of it is told', async (context) => {
    const { proxy, courier } = await behindProxy(context);
    const place = `by the proxy 127\\.0\\.0\\.1:\\d+`;
    for (const [environment, status, reason] of [
      [{ HTTPS_PROXY: addressOf(proxy, 'hunter3') }, 200, `${place} \\(it answered 407\\)`],
      [{ HTTPS_PROXY: addressOf(proxy) }, 403, `${place} \\(it answered 403\\)`],
      [{ HTTPS_PROXY: `http://me:${PASSWORD}@127.0.0.1:${await freePort()}` }, 200, `${place} \\(ECONNREFUSED\\)`],
      [{ HTTPS_PROXY: addressOf(proxy) }, undefined, `did not answer ${place} within 0\\.3 s`],
    ] as const) {
      proxy.status = status;
      for (const attempt of ['deliver', 'check'] as const) {
        const away = courier({ timeoutSeconds: 0.3 }, environment);
        const tried = attempt === 'check' ? away.check(forever()) : away.deliver(SAMPLE_MESSAGE, forever());
        const error = await tried.then(() => assert.fail('It went through.'), asError);
        assert.equal(error.kind, 'unavailable');
        assert.match(error.message, new RegExp(reason));
        assert.doesNotMatch(JSON.stringify([error.message, error.details, String(error.cause)]), /hunter|T0KEN/);
      }
    }
    await eventually(() => proxy.sockets.size === 0, 'a connection to the proxy stays open');
  });

  test('is not tried where the address of the proxy cannot be read, which is told without it', async () => {
    for (const address of ['socks5://me:hunter2@proxy', 'http://', 'http://me:hunter2%@proxy:1', 'ht!tp://hunter2']) {
      const courier = courierTo({}, { HTTPS_PROXY: address });
      const error = await courier.deliver(SAMPLE_MESSAGE, forever()).then(() => assert.fail(), asError);
      assert.deepEqual([error.code, error.kind], ['proxy-invalid', 'invalid']);
      assert.match(error.message, /^What HTTPS_PROXY holds is no address/);
    }
  });

  test('is looked for through the proxy as well, and nothing is sent', async (context) => {
    const { receiver, proxy, courier } = await behindProxy(context);
    await courier().check(forever());
    assert.deepEqual(proxy.asked, [`CONNECT ${NAME}:443`]);
    assert.deepEqual(receiver.received, []);
  });

  test('is reached by the program, by a proxy without `http://`', async (context) => {
    const { receiver, proxy, folder } = await behindProxy(context);
    const holdfast = await commandLine(context);
    const ca = path.join(folder, 'certificate.pem');
    await holdfast.put(
      'holdfast.yaml',
      `notifications:\n  - { name: chat, webhook: { url: "https://${NAME}/T0KEN", ca: "${ca}" } }\n`,
    );
    const environment = { https_proxy: addressOf(proxy).replace('http://', ''), no_proxy: '' };
    const told = await holdfast.run(['notify', 'test'], '', environment);
    assert.equal(told.code, 0, told.stdout + told.stderr);
    assert.equal(receiver.received.length, 1);
    const without = await holdfast.run(['notify', 'test'], '', { ...environment, no_proxy: `other,.${NAME}` });
    assert.match(without.stdout, /cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/);
  });
});

async function behindProxy(context: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-proxy-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const receiver = await WebhookReceiver.start(context, certificate(folder, `DNS:${NAME}`));
  const proxy = await ConnectProxy.start(context, { [`${NAME}:443`]: Number(new URL(receiver.url).port) }, PASSWORD);
  const caFile = path.join(folder, 'certificate.pem');
  const courier = (
    configuration: { [Key in keyof WebhookConfiguration]?: WebhookConfiguration[Key] | undefined } = {},
    environment: ProxyEnvironment = { HTTPS_PROXY: addressOf(proxy) },
  ) => courierTo({ caFile, ...configuration }, environment);
  return { folder, receiver, proxy, courier };
}

function courierTo(
  configuration: { [Key in keyof WebhookConfiguration]?: WebhookConfiguration[Key] | undefined },
  environment: ProxyEnvironment,
  secret = '',
) {
  const full = { url: `https://${NAME}/T0KEN`, format: 'json', headers: {}, timeoutSeconds: 30, ...configuration };
  return createWebhookCourier(full as WebhookConfiguration, {
    resolveSecret: async () => secret,
    clock: { now: () => new Date() },
    version: '1.2.3',
    environment,
  });
}

function addressOf({ port }: ConnectProxy, password = PASSWORD): string {
  return `http://me:${encodeURIComponent(password)}@127.0.0.1:${port}`;
}

function asError(error: unknown): HoldfastError {
  assert.ok(error instanceof HoldfastError, String(error));
  return error;
}

const forever = () => new AbortController().signal;
