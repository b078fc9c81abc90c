import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DEFAULT_DOWNLOADS, type Download, type OpenDownload } from '../../core/download.ts';
import { HoldfastError } from '../../core/errors.ts';
import { resumedPieces } from '../../core/resumed-pieces.ts';
import { recordEnd } from './audit-trail.ts';
import { requestedRange } from './byte-range.ts';
import { acceptedCoding, type ContentCoding, codedBytes, isWorthCoding } from './content-coding.ts';
import { contentHeaders, downloadHeaders, etagOf, isRangeOfSame, unchangedTag } from './download-headers.ts';
import type { DownloadMetrics } from './download-metrics.ts';
import type { HttpContext } from './http-context.ts';
import { type TransferEnd, transferBody } from './socket-transfer.ts';

export interface DownloadAnswer {
  context: HttpContext;
  metrics: DownloadMetrics;
  download: Download;
  request: FastifyRequest;
  reply: FastifyReply;
  /** Aborted when the client goes; ends all that was begun for it. */
  gone: AbortController;
  /** Called when the first piece is there and nothing was sent yet; what it throws is the answer. */
  take?: () => Promise<void>;
}

/** Gives a download, or says that the client has it already. Whatever is wrong before its first byte is thrown. */
export async function answerDownload(parts: DownloadAnswer): Promise<FastifyReply> {
  const { download, request, reply, gone } = parts;
  const place = await download.enter();
  try {
    const opened = await download.open(gone.signal);
    request.auditDetails = { ...request.auditDetails, ...opened.lineage };
    const unchanged = unchangedTag(request.headers as Record<string, string | undefined>, download, opened);
    if (unchanged !== undefined)
      return await reply
        .headers({ ...downloadHeaders(download), etag: unchanged })
        .code(304)
        .send();
    const answer = await prepared(opened, parts);
    place.begin();
    await send(answer, (bytes) => place.count(bytes), parts);
    return reply;
  } finally {
    gone.abort();
    await place.leave();
  }
}

/**
 * What `answerDownload` would say of the whole and uncoded content, which is not made. It takes a place all the same: to know what it is, programs are
 * started, and whole clusters restored for the schema of a variant.
 */
export async function answerDownloadHead(parts: DownloadAnswer): Promise<FastifyReply> {
  const { download, reply, gone } = parts;
  const place = await download.enter();
  let answer: Awaited<ReturnType<typeof headAnswer>>;
  try {
    answer = await headAnswer(parts);
  } finally {
    gone.abort();
    // Before the answer: whoever has it may download at once.
    await place.leave();
  }
  reply.hijack();
  reply.raw.writeHead(answer.status, { ...headersOfAll(reply), ...answer.headers });
  reply.raw.end();
  return reply;
}

async function headAnswer({ download, request, gone }: DownloadAnswer): Promise<{
  status: 200 | 304;
  headers: Record<string, string>;
}> {
  const opened = await download.open(gone.signal, { withoutMaking: true });
  const unchanged = unchangedTag(request.headers as Record<string, string | undefined>, download, opened);
  if (unchanged !== undefined) return { status: 304, headers: { ...downloadHeaders(download), etag: unchanged } };
  requireVisibleEnd(opened, download, request);
  return { status: 200, headers: { ...downloadHeaders(download), ...contentHeaders(download, opened) } };
}

interface PreparedAnswer {
  status: 200 | 206;
  headers: Record<string, string>;
  pieces: AsyncIterable<Uint8Array>;
  length?: number;
}

/** Content shorter than this is not coded. */
const LEAST_CODED = 1024;

async function prepared(opened: OpenDownload, parts: DownloadAnswer): Promise<PreparedAnswer> {
  const { download, request, reply } = parts;
  const range = rangeOf(opened, download, request, reply);
  requireVisibleEnd(opened, download, request);
  const length = range?.length ?? opened.length;
  const pieces = opened.bytes(range)[Symbol.asyncIterator]();
  const first = await firstPiece(pieces, parts);
  const isCodable = range === undefined && !isOld(request) && (length === undefined || length >= LEAST_CODED);
  const accepted = isCodable ? acceptedCoding(request.headers['accept-encoding']) : 'identity';
  const isWorth = accepted !== 'identity' && first.done !== true && isWorthCoding(download.format, first.value);
  const headers = { ...downloadHeaders(download), ...contentHeaders(download, opened) };
  const all = resumedPieces([first], pieces);
  if (isWorth)
    return {
      status: 200,
      headers: codedHeaders(headers, accepted, download, opened),
      pieces: codedBytes(all, accepted),
    };
  if (range === undefined) return { status: 200, headers, pieces: all, ...(length === undefined ? {} : { length }) };
  const end = range.offset + range.length - 1;
  const place = {
    'content-range': `bytes ${range.offset}-${end}/${opened.length}`,
    'content-length': `${range.length}`,
  };
  return { status: 206, headers: { ...headers, ...place }, pieces: all, length: range.length };
}

/** Nothing fails between the taking and the head of the answer. */
async function firstPiece(
  pieces: AsyncIterator<Uint8Array>,
  { take }: DownloadAnswer,
): Promise<IteratorResult<Uint8Array>> {
  const first = await pieces.next();
  try {
    await take?.();
    return first;
  } catch (error) {
    await pieces.return?.();
    throw error;
  }
}

function rangeOf(opened: OpenDownload, download: Download, request: FastifyRequest, reply: FastifyReply) {
  const { length } = opened;
  const { range: header, 'if-range': ifRange } = request.headers;
  if (!opened.acceptsRanges || length === undefined) return undefined;
  if (!isRangeOfSame(typeof ifRange === 'string' ? ifRange : undefined, download, opened)) return undefined;
  const range = requestedRange(header, length);
  if (range !== 'unsatisfiable') return range;
  reply.header('content-range', `bytes */${length}`);
  const message = `This download has ${length} bytes, and the range that was asked for begins behind them.`;
  const details = { length, formats: download.snapshot.formats };
  throw new HoldfastError('invalid', 'range-not-satisfiable', message, { details });
}

/** Length and digest are those of what is sent, which is not known. */
function codedHeaders(
  headers: Record<string, string>,
  coding: Exclude<ContentCoding, 'identity'>,
  download: Download,
  opened: OpenDownload,
): Record<string, string> {
  const { 'content-length': _length, 'repr-digest': _digest, ...kept } = headers;
  return { ...kept, 'content-encoding': coding, 'accept-ranges': 'none', etag: etagOf(download, opened, coding) };
}

async function send(
  { status, headers, pieces, length }: PreparedAnswer,
  onBytes: (bytes: number) => void,
  { context, metrics, download, request, reply, gone }: DownloadAnswer,
): Promise<void> {
  const { idleSeconds } = context.configuration.downloads ?? DEFAULT_DOWNLOADS;
  reply.hijack();
  reply.raw.on('error', (err) => request.log.debug({ err, requestId: request.id }, 'a client of a download has gone'));
  const closing = context.shutdown.aborted ? { connection: 'close' } : {};
  reply.raw.writeHead(status, { ...headersOfAll(reply), ...headers, ...closing });
  const firstByteSeconds = reply.elapsedTime / 1000;
  const end = await transferBody(pieces, reply.raw, {
    server: request.server.server,
    ...(length === undefined ? {} : { length }),
    idleMilliseconds: idleSeconds * 1000,
    tellsFailure: download.isSealed,
    onBytes,
  });
  gone.abort();
  const seconds = reply.elapsedTime / 1000;
  metrics.given(download.variant);
  metrics.ended(end.outcome, { bytes: end.bytes, seconds, firstByteSeconds });
  if (end.outcome === 'failed') request.log.error({ err: end.error, requestId: request.id }, 'a download broke off');
  await recordDownload(end, seconds, headers['content-encoding'], context, request, reply);
}

async function recordDownload(
  { outcome, bytes, error }: TransferEnd,
  seconds: number,
  coding: string | undefined,
  { application }: HttpContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  request.auditDetails = {
    ...request.auditDetails,
    ...(coding === undefined ? {} : { coding }),
    ...{ outcome, bytes, seconds },
    ...(error instanceof HoldfastError ? { code: error.code } : {}),
  };
  await recordEnd(application, request, reply, outcome === 'complete' ? 'success' : 'failure');
}

/** What every answer carries. */
function headersOfAll(reply: FastifyReply): OutgoingHttpHeaders {
  return reply.getHeaders() as OutgoingHttpHeaders;
}

function isOld({ raw }: FastifyRequest): boolean {
  return raw.httpVersionMajor === 1 && raw.httpVersionMinor === 0;
}

/** @throws HoldfastError `http-version-too-old` (unsupported) where nobody could tell the end of the content from a cut */
function requireVisibleEnd({ length }: OpenDownload, { isSealed }: Download, request: FastifyRequest): void {
  if (!isOld(request) || length !== undefined || isSealed) return;
  const message =
    'This was asked for by HTTP/1.0, in which nobody could tell whether content of unknown length came to its end. If a reverse proxy stands before Holdfast, set there: proxy_http_version 1.1';
  throw new HoldfastError('unsupported', 'http-version-too-old', message);
}
