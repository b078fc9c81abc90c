import type { NotificationType } from './ports/notifier.ts';

/** Where notifications are sent to, besides the log. Secrets are still references here. */
export interface NotificationConfiguration {
  /** Names it in messages; unique. */
  name: string;
  /** Default: all that tell of trouble. */
  events?: readonly NotificationType[];
  /** What they may be about: ids, or beginnings of ids and a `*`. */
  subjects: readonly string[];
  webhook: WebhookConfiguration;
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

export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export const WEBHOOK_FORMATS = ['json', 'cloudevents', 'slack', 'discord', 'text'] as const;
