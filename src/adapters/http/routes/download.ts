import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Download, DownloadRequest } from '../../../core/download.ts';
import { VARIANT_NAME } from '../../../core/grant.ts';
import { answerDownload, answerDownloadHead } from '../download-answer.ts';
import { DownloadMetrics } from '../download-metrics.ts';
import { clientGone, downloadRefusal, outcomeOf, withFormats } from '../download-refusal.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { downloadFormat } from '../schemas/download-schema.ts';
import { id, line } from '../schemas/fields.ts';

const TAGS = ['Downloads'];
const MOST_PARTS = 1000;

const query = z.strictObject({
  variant: z
    .string()
    .regex(VARIANT_NAME, 'must be the name of a variant')
    .optional()
    .describe('`raw`, the data as it was backed up, is the default and the only one yet.'),
  at: line(40)
    .optional()
    .describe(
      'Which one: `latest` (default); a time such as `2026-11-20T02:00:00Z` or a date, for the newest one that was complete by then; or how long ago, `-7d` (also `m`, `h`, `w`).',
    ),
  backup: line(500)
    .optional()
    .describe('The id of the very one, as `GET /snapshots` lists it. Not together with `at`.'),
  format: downloadFormat.optional().describe('Default: the first of those that `GET /snapshots` lists.'),
  mode: z
    .enum(['create', 'replace'])
    .optional()
    .describe(
      '`create` (default) is for an empty database; `replace` removes what is there in the same transaction (PostgreSQL).',
    ),
  seal: z
    .enum(['full', 'none'])
    .optional()
    .describe(
      'SQL is sealed: a client that gets a part of it fails and changes nothing. `none` gives it as it was backed up.',
    ),
  tables: z
    .string()
    .max(20_000)
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .refine((names) => names.length > 0 && names.length <= MOST_PARTS, `must be 1 to ${MOST_PARTS} names`)
    .optional()
    .describe('Only these tables, as `table` or `schema.table`, separated by commas.'),
  database: line(200).optional().describe('Which one, of a backup that holds several databases.'),
  path: z
    .union([line(4096), z.array(line(4096)).min(1).max(MOST_PARTS)])
    .transform((paths) => [paths].flat())
    .optional()
    .describe('Only what is at or below it, of a tree of files; repeatable.'),
});

type Query = z.infer<typeof query>;

const DESCRIPTION =
  "The newest complete backup of a resource, or an older one, as its target understands it: SQL for `psql`, a database file, an archive of files, JSON, or the bytes as they were. `curl -fsS -u me … | psql app` is all that it takes. An answer that ends cleanly is whole; where something fails on the way, the connection is reset, and SQL ends with a statement that fails with the reason. `ETag` is strong where each download gives the same bytes, and ranges are given where the content can begin in the middle. `Accept-Encoding` may name gzip and zstd. `HEAD` tells the headers and makes nothing. Errors are SQL that fails with the reason, because a database's client takes an error in JSON for no error at all, unless `Accept` asks for JSON or the resource is no database. What you may not have is answered like what does not exist. The header `X-Reason` is kept in the audit log.";

/** Developers' copies. */
export function downloadRoutes(server: HttpServer, context: HttpContext): void {
  const { downloads } = context.application;
  const metrics = new DownloadMetrics(context.metrics.registry);
  const errorHandler = downloadRefusal(context.application, (problem) => metrics.refused(outcomeOf(problem)));
  const response = answers({
    200: bytesAnswer('The content.', 'application/octet-stream', z.string().meta({ format: 'binary' })),
    206: bytesAnswer(
      'The range that was asked for.',
      'application/octet-stream',
      z.string().meta({ format: 'binary' }),
    ),
  });

  async function answer(
    request: FastifyRequest<{ Querystring: Query }>,
    reply: FastifyReply,
    resourceId?: string,
  ): Promise<FastifyReply> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    request.auditDetails = factsOfCall(request);
    let download: Download | undefined;
    try {
      download = await downloads.find(downloadRequest(request, resourceId), gone.signal);
      request.auditSubject = download.snapshot.id;
      request.auditDetails = { ...request.auditDetails, ...factsOfDownload(download) };
      const parts = { context, metrics, download, request, reply, gone };
      return await (request.method === 'HEAD' ? answerDownloadHead(parts) : answerDownload(parts));
    } catch (error) {
      if (reply.raw.destroyed) throw clientGone(error);
      throw download === undefined ? error : withFormats(error, download);
    }
  }

  const named = { params: z.strictObject({ resource: id }), querystring: query };
  server.get(
    '/download',
    {
      config: { role: 'developer', audit: 'download.get' },
      exposeHeadRoute: false,
      errorHandler,
      schema: {
        tags: TAGS,
        summary: 'Download the default resource',
        description: `The configured default resource, or the only one that you may have. ${DESCRIPTION}`,
        querystring: query,
        response,
      },
    },
    (request, reply) => answer(request, reply),
  );
  server.get(
    '/download/:resource',
    {
      config: { role: 'developer', audit: 'download.get' },
      exposeHeadRoute: false,
      errorHandler,
      schema: { tags: TAGS, summary: 'Download a resource', description: DESCRIPTION, ...named, response },
    },
    (request, reply) => answer(request, reply, request.params.resource),
  );
  server.head(
    '/download',
    { config: { role: 'developer' }, errorHandler, schema: { hide: true, querystring: query } },
    (request, reply) => answer(request, reply),
  );
  server.head(
    '/download/:resource',
    { config: { role: 'developer' }, errorHandler, schema: { hide: true, ...named } },
    (request, reply) => answer(request, reply, request.params.resource),
  );
}

function downloadRequest(
  { principal, query: asked }: FastifyRequest<{ Querystring: Query }>,
  resourceId?: string,
): DownloadRequest {
  const { variant, at, backup, format, mode, seal, tables, database, path } = asked;
  return {
    principal,
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(variant === undefined ? {} : { variant }),
    ...(at === undefined ? {} : { at }),
    ...(backup === undefined ? {} : { snapshotId: backup }),
    ...(format === undefined ? {} : { format }),
    ...(mode === undefined ? {} : { mode }),
    ...(seal === undefined ? {} : { seal }),
    ...(tables === undefined ? {} : { tables }),
    ...(database === undefined ? {} : { database }),
    ...(path === undefined ? {} : { paths: path }),
  };
}

const LONGEST_REASON = 500;

function factsOfCall({ principal, headers, params }: FastifyRequest): Record<string, unknown> {
  const reason = headers['x-reason'];
  const { resource } = params as { resource?: string };
  return {
    ...(principal.method === undefined ? {} : { method: principal.method }),
    ...(resource === undefined ? {} : { resource }),
    // Headers are bytes to Node.js.
    ...(typeof reason === 'string' ? { reason: printable(Buffer.from(reason, 'latin1').toString('utf8')) } : {}),
  };
}

function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ').slice(0, LONGEST_REASON);
}

function factsOfDownload({ snapshot, variant, format, isSealed, mode }: Download): Record<string, unknown> {
  const { id: snapshotId, resourceId } = snapshot;
  return { resource: resourceId, backup: snapshotId, variant, format, ...(isSealed ? { mode } : {}) };
}
