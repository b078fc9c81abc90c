import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { DEFAULT_DOWNLOADS } from '../../../core/download.ts';
import { SNAPSHOT_PAGE_STYLE_HASH, snapshotPage } from '../../../reports/snapshot-page.ts';
import { snapshotTable } from '../../../reports/snapshot-table.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { answers } from '../route-schemas.ts';
import { snapshotSchema } from '../schemas/download-schema.ts';
import { id } from '../schemas/fields.ts';
import { downloadAddress, snapshotAnswer, userOf } from '../snapshot-answer.ts';

/** What a caller may download. */
export function snapshotRoutes(server: HttpServer, { application, configuration }: HttpContext): void {
  const { publicUrl } = configuration.downloads ?? DEFAULT_DOWNLOADS;

  server.get(
    '/snapshots',
    {
      config: { role: 'developer' },
      schema: {
        tags: ['Downloads'],
        summary: 'List what you may download',
        description:
          'Complete snapshots that your grants cover, newest first, with what was proven to restore and what to type to get each. JSON for `Accept: application/json`, a page for browsers, an aligned table of text otherwise.',
        querystring: z.strictObject({ resource: id.optional(), ...pageQuery }),
        response: answers({
          200: {
            description: 'The snapshots.',
            content: {
              'application/json': { schema: z.array(snapshotSchema) },
              'text/plain': { schema: z.string() },
              'text/html': { schema: z.string() },
            },
          },
        }),
      },
    },
    async (request, reply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const { resource } = request.query;
      const asked = { principal: request.principal, ...pageRequest(request.query) };
      const page = await application.downloads.list(
        { ...asked, ...(resource === undefined ? {} : { resourceId: resource }) },
        gone.signal,
      );
      announceNextPage(request, reply, page);
      reply.header('vary', 'Authorization, Accept');
      const address = downloadAddress(request, publicUrl);
      const snapshots = page.items.map((snapshot) => snapshotAnswer(snapshot, address, userOf(request)));
      const list = { snapshots, nextUrl: nextUrl(reply) };
      const kind = wantedKind(request.headers.accept);
      if (kind === 'json') return reply.send(snapshots);
      if (kind === 'text') return reply.type('text/plain; charset=utf-8').send(snapshotTable(list));
      // Without its own origin the page's links would be requests of strangers.
      return reply
        .type('text/html; charset=utf-8')
        .header(
          'content-security-policy',
          `default-src 'none'; style-src '${SNAPSHOT_PAGE_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-same-origin allow-top-navigation allow-downloads`,
        )
        .send(snapshotPage(list));
    },
  );
}

/** The kind that is named first counts; browsers name HTML first, programs JSON, curl nothing. */
function wantedKind(accept: string | undefined): 'json' | 'html' | 'text' {
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    if (/^\s*(application\/json|application\/\*)/.test(range)) return 'json';
    if (/^\s*(text\/html|application\/xhtml\+xml)/.test(range)) return 'html';
    if (/^\s*(text\/plain|text\/\*|\*\/\*)/.test(range)) return 'text';
  }
  return 'text';
}

function nextUrl(reply: FastifyReply): string | undefined {
  return /^<([^>]+)>/.exec(String(reply.getHeader('link') ?? ''))?.[1];
}
