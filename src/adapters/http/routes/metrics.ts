import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';

/** Numbers for Prometheus. */
export function metricsRoutes(server: HttpServer, { metrics }: HttpContext): void {
  server.get(
    '/metrics',
    {
      config: { role: 'viewer', unconfined: true },
      schema: {
        tags: ['Service'],
        summary: 'Metrics',
        description: 'In the text format of Prometheus.',
        response: answers({ 200: bytesAnswer('Metrics.', 'text/plain', z.string()) }),
      },
    },
    async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.text()),
  );
}
