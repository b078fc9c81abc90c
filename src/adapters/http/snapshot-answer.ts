import type { FastifyRequest } from 'fastify';
import type { ListedSnapshot } from '../../core/download.ts';
import type { DownloadFormat, SqlDialect } from '../../core/download-format.ts';
import type { SnapshotAnswer } from './schemas/download-schema.ts';

const HOST = /^[A-Za-z0-9._-]{1,253}(:\d{1,5})?$|^\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?$/;

/** Where downloads are, as the caller reaches this service. */
export function downloadAddress(request: FastifyRequest, publicUrl: string | undefined): string {
  if (publicUrl !== undefined) return publicUrl;
  // What a stranger says of the host must not become a command that somebody copies.
  return HOST.test(request.host) ? `${request.protocol}://${request.host}` : 'http://HOST';
}

/** A snapshot with what to type to get it. */
export function snapshotAnswer(snapshot: ListedSnapshot, address: string, user: string | undefined): SnapshotAnswer {
  const { id, resourceId, resourceType, origin, createdAt, completedAt, size, formats, variants, proven } = snapshot;
  const { defaultVariant } = snapshot;
  const plainUrl = `${address}/download/${encodeURIComponent(resourceId)}?backup=${encodeURIComponent(id)}`;
  const urlOf = (variant: string): string => `${plainUrl}&variant=${encodeURIComponent(variant)}`;
  const offered = variants.find(({ state }) => state !== 'blocked')?.name ?? defaultVariant;
  const url = offered === undefined || offered === defaultVariant ? plainUrl : urlOf(offered);
  return {
    ...{ id, resource: resourceId, resourceType, origin, createdAt, completedAt },
    size: size ?? null,
    formats: [...formats],
    variants: variants.map((each) => ({ ...each, url: urlOf(each.name) })),
    defaultVariant: defaultVariant ?? null,
    proven: proven ?? null,
    url,
    command: downloadCommand(url, { ...snapshot, format: formats[0] }, user),
  };
}

/** Who calls by Basic or a token types the name and is asked for the password; programs of this machine need neither. */
export function userOf({ principal, isKnown }: FastifyRequest): string | undefined {
  const isLocal = principal.method === 'local' || (principal.method === undefined && principal.name === 'local');
  return isKnown && !isLocal ? principal.name : undefined;
}

/** What to type for the download at a URL. */
export function downloadCommand(
  url: string,
  { format, dialect }: { format: DownloadFormat | undefined; dialect?: SqlDialect },
  user: string | undefined,
): string {
  const fetching = `curl -fsS${user === undefined ? '' : ` -u ${quoted(user)}`}`;
  if (format !== 'sql') return `${fetching} -OJ ${quoted(url)}`;
  return `${fetching} ${quoted(url)} | ${dialect === 'mysql' ? 'mysql DATABASE' : 'psql DATABASE'}`;
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
