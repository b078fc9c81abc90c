import { HoldfastError } from '../../core/errors.ts';
import type { MailConfiguration } from '../../core/notification-configuration.ts';
import { trustedAuthorities } from '../../process/trusted-authorities.ts';
import { type Courier, jsonOf, type Message, repetitionOf } from '../message.ts';

const LONGEST_LOOKUP_MILLISECONDS = 5000;

/**
 * Sends messages as mail by SMTP, each over a connection of its own. TLS is verified always, and nothing is sent without it unless
 * the configuration says `plain`.
 * @param resolveSecret reads what `env:NAME` or `file:/path` names; HoldfastError without the secret
 */
export function createMailCourier(
  configuration: MailConfiguration,
  resolveSecret: (reference: string) => Promise<string>,
): Courier {
  const place = new URL(configuration.server).host;
  return {
    place,
    async deliver(message: Message, signal: AbortSignal): Promise<void> {
      const { from, to, timeoutSeconds } = configuration;
      const { createTransport } = await import('nodemailer');
      const transport = createTransport(await connectionOf(configuration, resolveSecret));
      await within({ place, timeoutSeconds, signal, what: 'did not take the mail' }, async (end) => {
        const mail = { from: mailbox(from), to: to.map(mailbox), ...mailOf(message) };
        const { rejected = [] } = await transport.sendMail({ ...mail, signal: end });
        if (rejected.length > 0) throw partlyRefused(place, rejected.map(addressOf));
      });
    },
    async check(signal: AbortSignal): Promise<void> {
      const { timeoutSeconds } = configuration;
      const { createTransport } = await import('nodemailer');
      const transport = createTransport(await connectionOf(configuration, resolveSecret));
      await within({ place, timeoutSeconds, signal, what: 'does not let Holdfast in' }, async (end) => {
        // It heeds no signal, and ends by the times of its own.
        const { promise: over, reject } = Promise.withResolvers<never>();
        end.addEventListener('abort', () => reject(end.reason), { once: true });
        await Promise.race([transport.verify(), over]);
      });
    },
  };
}

/** @param limits `what`: for messages, what the server did not do */
async function within(
  limits: { place: string; timeoutSeconds: number; signal: AbortSignal; what: string },
  work: (end: AbortSignal) => Promise<void>,
): Promise<void> {
  const { place, timeoutSeconds, signal, what } = limits;
  const time = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    await work(AbortSignal.any([signal, time]));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) throw error;
    throw time.aborted ? unanswered(place, what, timeoutSeconds) : refusal(place, what, error);
  }
}

async function connectionOf(
  { server, plain, user, password, caFile, timeoutSeconds }: MailConfiguration,
  resolveSecret: (reference: string) => Promise<string>,
) {
  const { protocol, hostname, port } = new URL(server);
  const isSecure = protocol === 'smtps:';
  const ca = caFile === undefined ? undefined : await trustedAuthorities(caFile);
  const milliseconds = timeoutSeconds * 1000;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (isSecure ? 465 : 587) : Number(port),
    secure: isSecure,
    ...(plain ? { ignoreTLS: true } : { requireTLS: true }),
    ...(user === undefined || password === undefined
      ? {}
      : { auth: { user, pass: (await resolveSecret(password)).trim() } }),
    tls: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) },
    // A lookup heeds no signal: with 30 seconds, as is usual, it kept a command from ending for so long.
    dnsTimeout: Math.min(milliseconds, LONGEST_LOOKUP_MILLISECONDS),
    connectionTimeout: milliseconds,
    greetingTimeout: milliseconds,
    socketTimeout: milliseconds,
    // A server that does not hang up must not keep a command from ending.
    socketCloseTimeout: 500,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** Taken apart here: in a name, `nodemailer` reads a colon as the beginning of a group, and drops what stands in brackets. */
function mailbox(text: string): { name: string; address: string } {
  const [, name = '', address = text] = /^(.*) <([^<>]+)>$/.exec(text) ?? [];
  return { name: name.replace(/^"(.*)"$/, '$1'), address };
}

function mailOf(message: Message) {
  const { id, type, at, host, subject, title, details } = message;
  const facts = [`Event:   ${type}`, `Subject: ${subject}`, `Host:    ${host}`, `Time:    ${at}`];
  const text = [`${message.message}${repetitionOf(message)}`, '', ...facts, `Details: ${jsonOf(details, 2)}`, ''];
  return {
    subject: title,
    text: text.join('\n'),
    date: new Date(at),
    // The same for each attempt, so that a mail that came in spite of an error comes once.
    messageId: `<${id}@holdfast>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Holdfast-Event': type },
  };
}

function unanswered(place: string, what: string, seconds: number): HoldfastError {
  const details = { reason: 'ETIMEDOUT' };
  return new HoldfastError('unavailable', 'mail-server-unreachable', `${place} ${what} within ${seconds} s.`, {
    details,
  });
}

/** As `nodemailer` has it. */
interface SmtpError {
  code?: string;
  /** Of the answer. */
  responseCode?: number;
  /** Of the connection, where `code` says no more than that it failed. */
  originalCode?: string;
}

/** What is wrong, by code alone: what a server says may repeat what it was sent. */
function refusal(place: string, what: string, error: unknown): HoldfastError {
  const { code = 'unknown', responseCode, originalCode } = error as SmtpError;
  if (code === 'ETLS') return untrusted(place, responseCode);
  const reason = originalCode ?? code;
  const isFinal = responseCode === undefined ? OF_CONFIGURATION.has(code) : responseCode >= 500;
  const codes = responseCode === undefined ? reason : `${reason}, ${responseCode}`;
  const said = code === 'EAUTH' && isFinal ? 'does not know this user and password' : what;
  const message = `${place} ${said} (${codes}).`;
  const details = { reason };
  if (isFinal) return new HoldfastError('invalid', 'mail-refused', message, { details });
  return new HoldfastError('unavailable', 'mail-server-unreachable', message, { details });
}

const OF_CONFIGURATION = new Set(['ECONFIG', 'EAUTH', 'ENOAUTH', 'EENVELOPE']);

/** @param responseCode of the answer to STARTTLS, where that was refused */
function untrusted(place: string, responseCode: number | undefined): HoldfastError {
  const message = `No encrypted connection with ${place} could be made`;
  if (responseCode === undefined) {
    const advice = 'See whether its certificate is trusted, and is for this name.';
    return new HoldfastError('unavailable', 'mail-server-untrusted', `${message}. ${advice}`);
  }
  const advice = 'Use smtps:// or another port, or say plain: true.';
  return new HoldfastError('invalid', 'mail-server-untrusted', `${message}: it offers no STARTTLS. ${advice}`);
}

function partlyRefused(place: string, rejected: readonly string[]): HoldfastError {
  const message = `${place} took the mail, but not for ${rejected.join(', ')}.`;
  return new HoldfastError('invalid', 'mail-recipients-refused', message);
}

function addressOf(recipient: string | { address: string }): string {
  return typeof recipient === 'string' ? recipient : recipient.address;
}
