import { type Download, type OpenDownload, RAW_VARIANT } from '../../core/download.ts';
import { CONTENT_CODINGS, type ContentCoding } from './content-coding.ts';

type Headers = Record<string, string | undefined>;

/** Headers of each answer that is about a download, with content or without. */
export function downloadHeaders(download: Download): Record<string, string> {
  const { snapshot, variant, isSealed, newerId } = download;
  return {
    ...(isDated(download) ? { 'last-modified': new Date(snapshot.completedAt).toUTCString() } : {}),
    'cache-control': 'private, no-store',
    vary: 'Authorization, Accept-Encoding',
    'x-accel-buffering': 'no',
    'x-snapshot-id': snapshot.id,
    'x-snapshot-resource': snapshot.resourceId,
    'x-snapshot-variant': variant,
    'x-snapshot-created': snapshot.createdAt,
    ...(newerId === undefined ? {} : { 'x-snapshot-newer': newerId }),
    ...(isSealed ? { 'x-snapshot-mode': download.mode } : {}),
  };
}

/** Headers of the content itself, as it would be given whole and uncoded. */
export function contentHeaders(download: Download, opened: OpenDownload): Record<string, string> {
  const name = fileName(download, opened.fileExtension);
  const { length, sha256, lineage } = opened;
  return {
    'content-type': opened.mediaType,
    'content-disposition': `attachment; filename="${name.replaceAll(/[^A-Za-z0-9._@-]/g, '-')}"; filename*=UTF-8''${encodeURIComponent(name)}`,
    etag: etagOf(download, opened, 'identity'),
    'accept-ranges': opened.acceptsRanges ? 'bytes' : 'none',
    ...(lineage === undefined ? {} : { 'x-snapshot-policy': lineage.policyHash }),
    ...(length === undefined ? {} : { 'content-length': String(length) }),
    ...(sha256 === undefined ? {} : { 'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:` }),
  };
}

/** Strong where each production gives the same bytes; another one for each coding, because the bytes are others. */
export function etagOf(download: Download, { isReproducible }: OpenDownload, coding: ContentCoding): string {
  const tag = `"${download.fingerprint}${coding === 'identity' ? '' : `-${coding}`}"`;
  return isReproducible ? tag : `W/${tag}`;
}

/** The tag by which the client has what it asks for already (RFC 9110, 13.1.2 and 13.1.3). */
export function unchangedTag(headers: Headers, download: Download, opened: OpenDownload): string | undefined {
  const wanted = headers['if-none-match'];
  const identity = etagOf(download, opened, 'identity');
  if (wanted !== undefined) {
    const tags = wanted.split(',').map(opaqueTag);
    if (tags.includes('*')) return identity;
    return CONTENT_CODINGS.map((coding) => etagOf(download, opened, coding)).find((tag) =>
      tags.includes(opaqueTag(tag)),
    );
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return isDated(download) && lastModified(download) <= since ? identity : undefined;
}

/** Whether a range may be given: the client has the beginning of these very bytes, or has not said (RFC 9110, 13.1.5). */
export function isRangeOfSame(header: string | undefined, download: Download, opened: OpenDownload): boolean {
  if (header === undefined) return true;
  const text = header.trim();
  if (text.startsWith('"')) return opened.isReproducible && text === etagOf(download, opened, 'identity');
  return opened.isReproducible && isDated(download) && Date.parse(text) === lastModified(download);
}

function opaqueTag(tag: string): string {
  return tag.trim().replace(/^W\//, '');
}

/** A policy that is changed makes another variant of the same snapshot: no date tells the two apart. */
function isDated({ variant }: Download): boolean {
  return variant === RAW_VARIANT;
}

/** Headers know whole seconds only. */
function lastModified({ snapshot }: Download): number {
  return Math.floor(Date.parse(snapshot.completedAt) / 1000) * 1000;
}

/** `shop_2026-11-20T02-00-00Z.sql` */
function fileName({ snapshot, variant }: Download, fileExtension: string): string {
  const time = `${snapshot.createdAt.slice(0, 19).replaceAll(':', '-')}Z`;
  return `${snapshot.resourceId}_${time}${variant === RAW_VARIANT ? '' : `_${variant}`}${fileExtension}`;
}
