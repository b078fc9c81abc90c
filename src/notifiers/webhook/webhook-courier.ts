import { HoldfastError } from '../../core/errors.ts';
import { isWebAddress, type WebhookConfiguration } from '../../core/notification-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { isSecretReference } from '../../core/secret-reference.ts';
import { trustedAuthorities } from '../../process/trusted-authorities.ts';
import type { Courier, Message } from '../message.ts';
import type { ProxyEnvironment } from './proxy.ts';
import { webhookBody } from './webhook-body.ts';
import { connect, post, type WebhookRoute } from './webhook-request.ts';
import { webhookSignature } from './webhook-signature.ts';

export interface WebhookParts {
  /** Reads what `env:NAME` or `file:/path` names. @throws HoldfastError without the secret */
  resolveSecret: (reference: string) => Promise<string>;
  clock: Clock;
  /** Where proxies are named. */
  environment: ProxyEnvironment;
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
      const route = await routeOf(configuration, parts, signal);
      const { status, retryAfter } = await post(route, await contentOf(message, configuration, parts));
      if (status < 200 || status > 299) throw refusal(route.url, status, retryAfter, parts.clock);
    },
    async check(signal: AbortSignal): Promise<void> {
      const route = await routeOf(configuration, parts, signal);
      await headersOf(configuration, parts);
      await signatureOf({ id: '', timestamp: '', body: '' }, configuration, parts);
      await connect(route);
    },
  };
}

async function routeOf(
  { url, caFile, timeoutSeconds }: WebhookConfiguration,
  parts: WebhookParts,
  signal: AbortSignal,
): Promise<WebhookRoute> {
  const address = await addressOf(url, parts);
  const ca = caFile === undefined ? undefined : await trustedAuthorities(caFile);
  return { url: address, environment: parts.environment, ca, timeoutSeconds, signal };
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
  configuration: WebhookConfiguration,
  parts: WebhookParts,
): Promise<{ body: string; headers: Record<string, string> }> {
  const { mediaType, body } = webhookBody(configuration.format, message);
  const timestamp = String(Math.floor(parts.clock.now().getTime() / 1000));
  const headers = {
    'user-agent': `Holdfast/${parts.version}`,
    ...(await headersOf(configuration, parts)),
    'content-type': mediaType,
    'content-length': String(Buffer.byteLength(body)),
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    ...(await signatureOf({ id: message.id, timestamp, body }, configuration, parts)),
  };
  return { body, headers };
}

/** Those of the configuration. */
async function headersOf(
  { headers }: WebhookConfiguration,
  { resolveSecret }: WebhookParts,
): Promise<Record<string, string>> {
  const own = await Promise.all(
    Object.entries(headers).map(async ([name, value]) => {
      const content = isSecretReference(value) ? (await resolveSecret(value)).trim() : value;
      if (/^[\t\x20-\x7e]*$/.test(content)) return [name.toLowerCase(), content] as const;
      const message = `What ${value} holds cannot be sent in the header ${name}.`;
      throw new HoldfastError('invalid', 'webhook-header-invalid', message);
    }),
  );
  return Object.fromEntries(own);
}

async function signatureOf(
  signed: Record<'id' | 'timestamp' | 'body', string>,
  { secret }: WebhookConfiguration,
  { resolveSecret }: WebhookParts,
): Promise<Record<string, string>> {
  if (secret === undefined) return {};
  return { 'webhook-signature': webhookSignature(await resolveSecret(secret), signed) };
}

/** 407 is a proxy's, and tells nothing of the receiver. */
const PASSING = new Set([407, 408, 429]);

function refusal(url: URL, status: number, retryAfter: string | undefined, clock: Clock): HoldfastError {
  const details = {
    status,
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: secondsUntil(retryAfter, clock) }),
  };
  const isPassing = status >= 500 || PASSING.has(status);
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
