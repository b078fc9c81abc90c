import type { WebhookFormat } from '../../core/notification-configuration.ts';
import { jsonOf, type Message, textOf } from '../message.ts';
import { teamsCard } from './teams-card.ts';

const LONGEST_SLACK = 4000;
/** Teams takes 28 KiB of JSON, in which a byte may become six. */
const LONGEST_TEAMS = 4000;
const LONGEST_DISCORD = 2000;
/** ntfy makes a file of what is longer than 4096 bytes. */
const LONGEST_TEXT = 4000;

/** What is sent for a message. `mediaType` is for `content-type`. */
export function webhookBody(format: WebhookFormat, message: Message): { mediaType: string; body: string } {
  return BODIES[format](message);
}

const BODIES: Record<WebhookFormat, (message: Message) => { mediaType: string; body: string }> = {
  // Gotify takes `title` and `message` out of it.
  json: (message) => ({ mediaType: 'application/json', body: jsonOf(message) }),
  cloudevents: ({ id, type, at, host, subject, ...data }) => ({
    mediaType: 'application/cloudevents+json; charset=utf-8',
    body: jsonOf({
      specversion: '1.0',
      id,
      source: `/holdfast/${encodeURIComponent(host)}`,
      type: `holdfast.${type}`,
      subject,
      time: at,
      datacontenttype: 'application/json',
      data,
    }),
  }),
  slack: (message) => ({
    mediaType: 'application/json',
    body: jsonOf({ text: shortened(escapedForSlack(textOf(message)), LONGEST_SLACK) }),
  }),
  teams: (message) => ({
    mediaType: 'application/json',
    body: jsonOf(teamsCard(shortened(textOf(message), LONGEST_TEAMS))),
  }),
  discord: (message) => ({
    mediaType: 'application/json',
    body: jsonOf({ content: shortened(textOf(message), LONGEST_DISCORD), allowed_mentions: { parse: [] } }),
  }),
  text: (message) => ({ mediaType: 'text/plain; charset=utf-8', body: shortened(textOf(message), LONGEST_TEXT) }),
};

/** Names in messages are not to call anybody: `<!channel>`. */
function escapedForSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** @param most bytes of UTF-8, of which no place takes fewer than of characters */
function shortened(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  return `${bytes
    .subarray(0, most - 8)
    .toString()
    .replace(/\uFFFD+$/, '')} …`;
}
