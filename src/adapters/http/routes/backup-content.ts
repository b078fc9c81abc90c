import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Backup } from '../../../core/backup.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { recordBrokenAnswer } from '../audit-trail.ts';
import { sha256Of } from '../backup-answer.ts';
import { requireContentGrant, visibleBackup } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { treeEntrySchema } from '../schemas/backup-schema.ts';
import { idPath } from '../schemas/fields.ts';
import { breakConnection } from '../socket-transfer.ts';
import { byteStringOf, treeEntryAnswer } from '../tree-entry-answer.ts';
import { matchesEtag } from './backups.ts';

const NDJSON = 'application/x-ndjson';

/** What is in a backup: its bytes, or the entries of its tree. */
export function backupContentRoutes(server: HttpServer, context: HttpContext): void {
  const { application } = context;

  server.get(
    '/backups/:id/content',
    {
      config: { role: 'developer', audit: 'backup.content', transfer: 'always' },
      schema: {
        tags: ['Backups'],
        summary: 'Get the content',
        description:
          'The bytes of a stream or a document as they were kept, decrypted and verified. If something turns out to be damaged on the way, the connection breaks: an answer that ends cleanly is whole. `Repr-Digest` holds the SHA-256. With `allowDamaged` a stream is given to its end, with zeros for what is lost, without a digest, and the trailer `X-Damages` says how many parts that were.',
        params: idPath,
        querystring: z.strictObject({
          allowDamaged: z
            .enum(['true', 'false'])
            .default('false')
            .describe('Give zeros for what is lost (streams only).'),
        }),
        response: answers({
          200: bytesAnswer('The content.', 'application/octet-stream', z.string().meta({ format: 'binary' })),
        }),
      },
    },
    async (request, reply) => {
      const backup = await visibleBackup(application, request.principal, request.params.id);
      requireContentGrant(request.principal, backup.resourceId);
      if (request.query.allowDamaged === 'true') return answerDespiteDamage(context, backup, request, reply);
      // What a service makes of a tree, such as SQL of a dump, may differ from one time to the next.
      if (backup.contentKind === 'tree') return answerMadeContent(context, backup, request, reply);
      const etag = `"${sha256Of(backup.checksum)}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
      return answerContent(context, backup, request, reply);
    },
  );

  server.get(
    '/backups/:id/entries',
    {
      config: { role: 'developer', audit: 'backup.entries' },
      schema: {
        tags: ['Backups'],
        summary: "List a tree's files",
        description:
          'Depth first, each folder before what is in it. As an array of at most `limit` entries (`X-Truncated: true` where there are more), or with `Accept: application/x-ndjson` all of them, one a line.',
        params: idPath,
        querystring: z.strictObject({
          path: z
            .union([z.string(), z.array(z.string()).max(1000)])
            .optional()
            .describe('Only what is at or below it; repeatable.'),
          limit: z.coerce.number().int().min(1).max(10_000).default(1000),
        }),
        response: answers({ 200: z.array(treeEntrySchema) }),
      },
    },
    async (request, reply) => {
      const backup = await visibleBackup(application, request.principal, request.params.id);
      requireContentGrant(request.principal, backup.resourceId);
      const { path, limit } = request.query;
      const paths = path === undefined ? undefined : [path].flat().map(byteStringOf);
      const entries = application.backups.entries(backup.id, paths);
      if (request.headers.accept?.includes(NDJSON) === true) {
        return reply.type(NDJSON).send(guarded(context, linesOf(entries), request, reply));
      }
      const listed: unknown[] = [];
      for await (const entry of entries) {
        if (listed.length === limit) {
          reply.header('x-truncated', 'true');
          break;
        }
        listed.push(treeEntryAnswer(entry));
      }
      return reply.send(listed);
    },
  );
}

async function answerContent(
  context: HttpContext,
  backup: Backup,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const content = await begun(context, backup, reply);
  const digest = Buffer.from(sha256Of(backup.checksum), 'hex').toString('base64');
  reply.header('repr-digest', `sha-256=:${digest}:`).header('digest', `sha-256=${digest}`);
  // Of a document's delta, `size` says nothing about the document.
  if (backup.contentKind === 'stream') reply.header('content-length', backup.size);
  return answer(context, content, request, reply);
}

/** Of a tree whose service makes one stream of it. @throws HoldfastError `content-is-a-tree` (unsupported) for others */
async function answerMadeContent(
  context: HttpContext,
  backup: Backup,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const content = await begun(context, backup, reply);
  reply.header('cache-control', 'no-store');
  return answer(context, content, request, reply);
}

/** Neither length nor digest are promised: whoever asks for it wants what is left. */
async function answerDespiteDamage(
  context: HttpContext,
  backup: Backup,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (backup.contentKind === 'tree') throw contentIsTree(backup.id);
  let damages = 0;
  const onDamage = (): void => {
    damages++;
  };
  const content = await begun(context, backup, reply, { onDamage });
  request.auditDetails = { allowDamaged: true };
  reply.header('cache-control', 'no-store').trailer('x-damages', async () => String(damages));
  return reply.send(guarded(context, content.bytes, request, reply));
}

interface BegunContent {
  bytes: AsyncIterable<Uint8Array>;
  reading: AbortController;
}

/** Opens a backup's content, which is closed with the answer, and says what it is and how a file of it is called. */
async function begun(
  { application }: HttpContext,
  backup: Backup,
  reply: FastifyReply,
  options: { onDamage?: () => void } = {},
): Promise<BegunContent> {
  const reading = new AbortController();
  reply.raw.once('close', () => reading.abort());
  const { mediaType, bytes } = await application.backups.content(backup.id, reading.signal, options);
  reply.type(mediaType).header('content-disposition', `attachment; filename="${fileName(backup, mediaType)}"`);
  return { bytes, reading };
}

function answer(
  context: HttpContext,
  { bytes, reading }: BegunContent,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (request.method !== 'HEAD') return reply.send(guarded(context, bytes, request, reply));
  reading.abort();
  // Fastify reads what it is given to its end, and keeps the length that was announced.
  return reply.send(Readable.from([]));
}

/** A stream whose failure is logged and audited, and resets the connection, so that nobody takes the answer for a whole one. */
function guarded(
  { application }: HttpContext,
  bytes: AsyncIterable<Uint8Array | string>,
  request: FastifyRequest,
  reply: FastifyReply,
): Readable {
  const stream = Readable.from(bytes, { objectMode: false });
  stream.once('error', (error) => {
    if (!reply.raw.headersSent || reply.raw.destroyed) return;
    request.log.error({ err: error, requestId: request.id }, 'an answer broke off');
    breakConnection(reply.raw);
    void recordBrokenAnswer(application, request, reply);
  });
  return stream;
}

async function* linesOf(entries: ReturnType<HttpContext['application']['backups']['entries']>): AsyncGenerator<string> {
  let lines = '';
  for await (const entry of entries) {
    lines += `${JSON.stringify(treeEntryAnswer(entry))}\n`;
    if (lines.length < 32_768) continue;
    yield lines;
    lines = '';
  }
  if (lines.length > 0) yield lines;
}

const ENDINGS: Readonly<Record<string, string>> = { 'application/json': '.json', 'application/sql': '.sql' };

function fileName(backup: Backup, mediaType: string): string {
  const ending = ENDINGS[mediaType.split(';')[0] ?? ''] ?? '';
  return `${backup.resourceId}-${backup.createdAt.replaceAll(/[^0-9A-Za-z]/g, '')}${ending}`.replaceAll(/["\\]/g, '_');
}

function contentIsTree(id: string): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'content-is-a-tree',
    `The backup ${id} holds a tree of files, which has no single stream of bytes. List it with GET /backups/${id}/entries and restore it with POST /restore.`,
  );
}
