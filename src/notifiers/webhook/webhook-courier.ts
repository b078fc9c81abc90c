import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { isWebAddress, type WebhookConfiguration } from '../../core/notification-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { isSecretReference } from '../../core/secret-reference.ts';
import { trustedAuthorities } from '../../process/trusted-authorities.ts';
import type { Courier, Message } from '../message.ts';
import { webhookBody } from './webhook-body.ts';
import { webhookSignature } from './webhook-signature.ts';

export interface WebhookParts {
  /** Reads what `env:NAME` or `file:/path` names. @throws HoldfastError without the secret */
  resolveSecret: (reference: string) => Promise<string>;
  clock: Clock;
  /** Of Holdfast. */
  version: string;
}

/**
 * Posts messages to a URL. Secrets are read for each attempt, so that a changed one counts at once. TLS is verified always;
 * redirections are not followed, as they would carry tokens and signatures to wherever they point.
 */
export function createWebhookCourier(configuration: WebhookConfiguration, parts: WebhookParts): Courier {
  return {
    place: isSecretReference(configuration.url) ? configuration.url : new URL(configuration.url).host,
    async deliver(message: Message, signal: AbortSignal): Promise<void> {
      const url = await addressOf(configuration.url, parts);
      const { body, headers } = await contentOf(message, configuration, parts);
      const { caFile } = configuration;
      const ca = caFile === undefined ? undefined : await trustedAuthorities(caFile);
      const { status, retryAfter } = await post(url, { ...configuration, body, headers, ca, signal });
      if (status < 200 || status > 299) throw refusal(url, status, retryAfter, parts.clock);
    },
  };
}

async function addressOf(url: string, { resolveSecret }: WebhookParts): Promise<URL> {
  if (!isSecretReference(url)) return new URL(url);
  const text = (await resolveSecret(url)).trim();
  if (isWebAddress(text) && isReadable(new URL(text))) return new URL(text);
  const message = `What ${url} holds is no address such as https://alerts.example.org/holdfast.`;
  throw new HoldfastError('invalid', 'webhook-address-invalid', message);
}

/** A password with a bare `%` is none: what would be sent is not known. */
function isReadable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** Receivers take what has the same `webhook-id` for the same; the timestamp is that of the attempt. */
async function contentOf(
  message: Message,
  { format, secret, headers }: WebhookConfiguration,
  { resolveSecret, clock, version }: WebhookParts,
): Promise<{ body: string; headers: Record<string, string> }> {
  const { mediaType, body } = webhookBody(format, message);
  const timestamp = String(Math.floor(clock.now().getTime() / 1000));
  const signed = { id: message.id, timestamp, body };
  const own = await Promise.all(
    Object.entries(headers).map(async ([name, value]) => {
      const content = isSecretReference(value) ? (await resolveSecret(value)).trim() : value;
      if (/^[\t\x20-\x7e]*$/.test(content)) return [name.toLowerCase(), content] as const;
      throw new HoldfastError(
        'invalid',
        'webhook-header-invalid',
        `What ${value} holds cannot be sent in the header ${name}.`,
      );
    }),
  );
  return {
    body,
    headers: {
      'user-agent': `Holdfast/${version}`,
      ...Object.fromEntries(own),
      'content-type': mediaType,
      'content-length': String(Buffer.byteLength(body)),
      'webhook-id': message.id,
      'webhook-timestamp': timestamp,
      ...(secret === undefined ? {} : { 'webhook-signature': webhookSignature(await resolveSecret(secret), signed) }),
    },
  };
}

interface Post {
  body: string;
  headers: Readonly<Record<string, string>>;
  ca: string[] | undefined;
  timeoutSeconds: number;
  signal: AbortSignal;
}

/** @returns the status alone: what else comes back may repeat what was sent */
async function post(url: URL, order: Post): Promise<{ status: number; retryAfter: string | undefined }> {
  const time = AbortSignal.timeout(order.timeoutSeconds * 1000);
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  try {
    return await new Promise((resolve, reject) => {
      // Said in so many words, because an environment variable of Node.js turns the verification off for a whole process.
      const options = { method: 'POST', headers: order.headers, agent: false, rejectUnauthorized: true };
      const trust = order.ca === undefined ? {} : { ca: order.ca };
      const signal = AbortSignal.any([order.signal, time]);
      const answered = (response: IncomingMessage) => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] });
        response.on('error', () => undefined).destroy();
      };
      const sent = request(url, { ...options, ...trust, signal }, answered);
      // Unheard, an answer that wants another protocol (101) would close the connection without an error.
      sent.on('upgrade', (response: IncomingMessage, socket: Duplex) => {
        answered(response);
        socket.destroy();
      });
      sent.on('error', reject);
      sent.on('close', () => reject(new Error('The connection was closed without an answer.')));
      sent.end(order.body);
    });
  } catch (error) {
    order.signal.throwIfAborted();
    const reason = time.aborted
      ? `did not answer within ${order.timeoutSeconds} s`
      : `cannot be reached (${systemErrorCode(error) ?? 'unknown'})`;
    throw new HoldfastError('unavailable', 'webhook-unreachable', `${url.host} ${reason}.`);
  }
}

function refusal(url: URL, status: number, retryAfter: string | undefined, clock: Clock): HoldfastError {
  const details = {
    status,
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: secondsUntil(retryAfter, clock) }),
  };
  const isPassing = status >= 500 || status === 429 || status === 408;
  const advice =
    status >= 300 && status < 400 ? ' Redirections are not followed: give the address that it leads to.' : '';
  const message = `${url.host} answered ${status}.${advice}`;
  return new HoldfastError(isPassing ? 'unavailable' : 'invalid', 'webhook-refused', message, { details });
}

/** Seconds, or a date of HTTP. */
function secondsUntil(text: string, clock: Clock): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - clock.now().getTime()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}
