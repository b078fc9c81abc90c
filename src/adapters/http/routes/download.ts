import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Download, type DownloadRequest, LONGEST_REASON, MOST_PARTS } from '../../../core/download.ts';
import { VARIANT_NAME } from '../../../core/grant.ts';
import { askedDownload } from '../asked-download.ts';
import { answerDownload, answerDownloadHead } from '../download-answer.ts';
import { factsOfDownload } from '../download-facts.ts';
import type { DownloadMetrics } from '../download-metrics.ts';
import { clientGone, downloadRefusal, outcomeOf, withFormats } from '../download-refusal.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { preferredWait } from '../preference.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { downloadFormat } from '../schemas/download-schema.ts';
import { id, line } from '../schemas/fields.ts';

const TAGS = ['Downloads'];

const query = z.strictObject({
  variant: z
    .string()
    .regex(VARIANT_NAME, 'must be the name of a variant')
    .optional()
    .describe(
      "A masked or reduced copy, by its name. Default: the first one of the resource's policy that you may have. `raw`, the data as it was backed up, has to be named.",
    ),
  reason: line(LONGEST_REASON)
    .optional()
    .describe('What for, where your grant asks for it; also as the header `X-Reason`. The audit log keeps it.'),
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
    .describe(
      'Only these tables, as `table` or `schema.table`, separated by commas: of PostgreSQL as SQL, raw, masked or reduced. Of a copy that is kept they are the very rows of the whole one.',
    ),
  stale: z
    .enum(['ok'])
    .optional()
    .describe(
      '`ok`: where a reduced copy of the newest backup is not made yet, that of the newest older one whose copy is ready will do, and the other is made meanwhile. The header `X-Snapshot-Newer` then names the backup that was passed over; `X-Snapshot-Id` and `X-Snapshot-Created` are of the one that is given. Not together with `backup`.',
    ),
  database: line(200).optional().describe('Which one, of a backup that holds several databases.'),
  path: z
    .union([line(4096), z.array(line(4096)).min(1).max(MOST_PARTS)])
    .transform((paths) => [paths].flat())
    .optional()
    .describe('Only what is at or below it, of a tree of files; repeatable. Of masked copies as `tar`.'),
});

type Query = z.infer<typeof query>;

const DESCRIPTION =
  "The newest complete backup of a resource, or an older one, as its target understands it: SQL for `psql`, a database file, an archive of files, JSON, or the bytes as they were. `curl -fsS -u me … | psql app` is all that it takes. An answer that ends cleanly is whole; where something fails on the way, the connection is reset, and SQL ends with a statement that fails with the reason. `ETag` is strong where each download gives the same bytes, and ranges are given where the content can begin in the middle. `Accept-Encoding` may name gzip and zstd. `HEAD` tells the headers and makes nothing. Errors are SQL that fails with the reason, because a database's client takes an error in JSON for no error at all, unless `Accept` asks for JSON or the resource is no database. What you may not have is answered like what does not exist. A variant that has to be made first is waited for (`Prefer: wait=600`; default half a minute); if it takes longer, the answer is 409 with `Retry-After` and the operation to watch. One that cannot be made is 422 with its `problems`. The header `X-Reason` is kept in the audit log.";

/** Developers' copies. */
export function downloadRoutes(server: HttpServer, context: HttpContext, metrics: DownloadMetrics): void {
  const { downloads } = context.application;
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
      const waitMilliseconds = preferredWait(request, reply);
      const asked = {
        ...downloadRequest(request, resourceId),
        ...(waitMilliseconds === 0 ? {} : { waitMilliseconds }),
      };
      download = await downloads.find(asked, gone.signal);
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

function downloadRequest(request: FastifyRequest<{ Querystring: Query }>, resourceId?: string): DownloadRequest {
  const { principal, query: asked } = request;
  const reason = reasonOf(request);
  const { stale, path: paths, ...choice } = asked;
  return {
    principal,
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(reason === undefined ? {} : { reason }),
    ...(stale === undefined ? {} : { stale }),
    ...askedDownload({ ...choice, paths }),
  };
}

function factsOfCall(request: FastifyRequest<{ Querystring: Query }>): Record<string, unknown> {
  const { principal, params, query } = request;
  const { variant } = query;
  const reason = reasonOf(request);
  const { resource } = params as { resource?: string };
  return {
    ...(principal.method === undefined ? {} : { method: principal.method }),
    ...(resource === undefined ? {} : { resource }),
    // Also of those who may not have it.
    ...(variant === undefined ? {} : { variant }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** What is nothing but blanks is none. */
function reasonOf({ headers, query: { reason } }: FastifyRequest<{ Querystring: Query }>): string | undefined {
  const header = headers['x-reason'];
  // Headers are bytes to Node.js.
  const text = typeof header === 'string' ? Buffer.from(header, 'latin1').toString('utf8') : (reason ?? '');
  return printable(text).trim() || undefined;
}

function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ').slice(0, LONGEST_REASON);
}
