import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { backupType } from '../schemas/fields.ts';

const TAGS = ['Service'];

const healthSchema = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string().optional(),
  uptimeSeconds: z.number().optional(),
  checks: z
    .array(z.object({ name: z.string(), status: z.enum(['ok', 'failing']), message: z.string().optional() }))
    .optional(),
  drills: z
    .object({ resources: z.number(), failing: z.number() })
    .optional()
    .describe('Resources that were drilled, and those of them whose newest drill did not pass.'),
});

/** What this is and how it is. */
export function serviceInformationRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/',
    {
      config: { role: 'anyone' },
      schema: {
        tags: TAGS,
        summary: 'Service information',
        description: 'What runs here and where to go on.',
        response: answers({
          200: z.object({
            name: z.string(),
            description: z.string(),
            version: z.string().optional(),
            documentation: z.string(),
            openapi: z.string(),
            endpoints: z.record(z.string(), z.string()),
          }),
        }),
      },
    },
    async (request, reply) =>
      reply.send({
        name: 'Holdfast',
        description: 'Self-hosted backups that prove they restore.',
        version: request.isKnown ? application.version : undefined,
        documentation: '/docs',
        openapi: '/openapi.json',
        endpoints: ENDPOINTS,
      }),
  );

  server.get(
    '/health',
    {
      config: { role: 'anyone' },
      schema: {
        tags: TAGS,
        summary: 'Health check',
        description:
          'Answers 200 while all is well and 503 otherwise. What was checked is told to known callers only. Drills that fail say nothing of the service itself and do not change the status.',
        response: answers({ 200: healthSchema, 503: healthSchema }),
      },
    },
    async (request, reply) => {
      const health = await application.health();
      reply.code(health.status === 'ok' ? 200 : 503);
      return reply.send(request.isKnown ? health : { status: health.status });
    },
  );

  server.get(
    '/services',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List services',
        description: 'What kinds of resources can be backed up, and how.',
        response: answers({
          200: z.array(
            z.object({
              name: z.string(),
              description: z.string(),
              source: z.enum(['posted', 'fetched']),
              backupTypes: z.array(backupType),
            }),
          ),
        }),
      },
    },
    async (_request, reply) =>
      reply.send(
        application.services.map(({ name, description, source, backupTypes }) => ({
          name,
          description,
          source,
          backupTypes,
        })),
      ),
  );
}

const ENDPOINTS = {
  backups: '/backups',
  restore: '/restore',
  restoreOperations: '/restore/operations',
  snapshots: '/snapshots',
  download: '/download',
  tickets: '/tickets',
  drills: '/drills',
  resources: '/resources',
  operations: '/operations',
  policies: '/policies',
  schedules: '/schedules',
  repositories: '/repositories',
  services: '/services',
  me: '/me',
  health: '/health',
  metrics: '/metrics',
};
