import { DUMP_BEGINNING, dumpDialect } from '../../core/dump-dialect.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DownloadFormat, SqlDialect } from '../../core/ports/service-download.ts';
import type { ConfiguredContent } from './configuration.ts';

/** What the bytes of a backup are. */
export type Content = 'postgresql-sql' | 'postgresql-archive' | 'mysql-sql' | 'sqlite' | 'tar' | 'bytes';

export interface Offer {
  /** The default one first. */
  formats: readonly DownloadFormat[];
  dialect?: SqlDialect;
}

const OFFERS: Record<Content, Offer> = {
  'postgresql-sql': { formats: ['sql', 'bytes'], dialect: 'postgresql' },
  'postgresql-archive': { formats: ['sql', 'custom', 'bytes'], dialect: 'postgresql' },
  'mysql-sql': { formats: ['sql', 'bytes'], dialect: 'mysql' },
  sqlite: { formats: ['sqlite', 'bytes'] },
  tar: { formats: ['tar', 'bytes'] },
  bytes: { formats: ['bytes'] },
};

/** What is not known yet is SQL until it is seen: a download that fails is better than one that has no seal and needs one. */
export const ANY_OFFER: Offer = { formats: ['sql', 'custom', 'sqlite', 'tar', 'bytes'] };

/** Before anything was looked into. */
const CONFIGURED: Record<Exclude<ConfiguredContent, 'auto'>, Offer> = {
  postgresql: OFFERS['postgresql-archive'],
  mysql: OFFERS['mysql-sql'],
  sqlite: OFFERS.sqlite,
  files: OFFERS.tar,
  bytes: OFFERS.bytes,
};

/** Which contents a setting allows. */
const ALLOWED: Record<Exclude<ConfiguredContent, 'auto' | 'bytes'>, readonly Content[]> = {
  postgresql: ['postgresql-sql', 'postgresql-archive'],
  mysql: ['mysql-sql'],
  sqlite: ['sqlite'],
  files: ['tar'],
};

export function offerOf(content: Content): Offer {
  return OFFERS[content];
}

export function configuredOffer(configured: Exclude<ConfiguredContent, 'auto'>): Offer {
  return CONFIGURED[configured];
}

export function isContent(text: string | undefined): text is Content {
  return text !== undefined && Object.hasOwn(OFFERS, text);
}

/**
 * What the first bytes of a backup say that it is.
 * @param head 512 bytes or more, or all there are
 * @throws HoldfastError `external-content-differs` (damaged): it is not what the configuration says
 */
export function contentOf(head: Uint8Array, configured: ConfiguredContent): Content {
  if (configured === 'bytes') return 'bytes';
  const found = detected(head);
  if (configured === 'auto') return found;
  if (ALLOWED[configured].includes(found)) return found;
  // Dumps of other tools begin as they like.
  if (found === 'bytes' && isText(head)) {
    if (configured === 'postgresql') return 'postgresql-sql';
    if (configured === 'mysql') return 'mysql-sql';
  }
  const message = `The backup should be of the content "${configured}", and does not begin like that (${found}). Take another one, and tell the operator.`;
  throw new HoldfastError('damaged', 'external-content-differs', message, { details: { configured, found } });
}

function detected(head: Uint8Array): Content {
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, DUMP_BEGINNING)).toString('latin1');
  if (start.startsWith('PGDMP')) return 'postgresql-archive';
  if (start.startsWith('SQLite format 3\0')) return 'sqlite';
  if (start.slice(257, 262) === 'ustar') return 'tar';
  const dialect = isText(head) ? dumpDialect(start) : undefined;
  return dialect === undefined ? 'bytes' : `${dialect}-sql`;
}

function isText(head: Uint8Array): boolean {
  return head.byteLength > 0 && !head.subarray(0, DUMP_BEGINNING).includes(0);
}
