import type { NotificationType } from './ports/notifier.ts';

/** Where notifications are sent to, besides the log. Secrets are still references here. */
export type NotificationConfiguration = NotificationTarget &
  ({ webhook: WebhookConfiguration; mail?: undefined } | { mail: MailConfiguration; webhook?: undefined });

export interface NotificationTarget {
  /** Names it in messages; unique. */
  name: string;
  /** Default: all that tell of trouble. */
  events?: readonly NotificationType[];
  /** What they may be about: ids, or beginnings of ids and a `*`. */
  subjects: readonly string[];
}

export interface WebhookConfiguration {
  /** An address of `http://` or `https://`, or a reference to one: some hold a token. */
  url: string;
  format: WebhookFormat;
  /** A reference to the key of the signature, as Standard Webhooks has it. */
  secret?: string;
  /** By name; a value may be a reference. */
  headers: Readonly<Record<string, string>>;
  /** Authorities (PEM) that are trusted beside the usual ones; an absolute path. */
  caFile?: string;
  /** For one attempt. */
  timeoutSeconds: number;
}

export interface MailConfiguration {
  /** `smtps://host`, or `smtp://host` with STARTTLS. */
  server: string;
  /** Whether mail may go without TLS. */
  plain: boolean;
  user?: string;
  /** A reference. */
  password?: string;
  from: string;
  to: readonly string[];
  /** Authorities (PEM) that are trusted beside the usual ones; an absolute path. */
  caFile?: string;
  /** For one attempt. */
  timeoutSeconds: number;
}

export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export const WEBHOOK_FORMATS = ['json', 'cloudevents', 'slack', 'teams', 'discord', 'text'] as const;

export function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text);
}
