import { z } from 'zod';
import { mayKnowOf, visibleOperation } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answerOperationEvents, EVENT_STREAM } from '../operation-events.ts';
import { announceNextPage, pageQuery, pageRequest } from '../paging.ts';
import { preferredWait } from '../preference.ts';
import { answers, bytesAnswer } from '../route-schemas.ts';
import { id, idPath, operationStatus } from '../schemas/fields.ts';
import { operationKind, operationSchema } from '../schemas/operation-schema.ts';

const TAGS = ['Operations'];

/** Work with a life of its own, of all kinds. */
export function operationRoutes(server: HttpServer, context: HttpContext): void {
  const { application } = context;

  server.get(
    '/operations',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List operations',
        description: 'Newest first.',
        querystring: z.strictObject({
          kind: operationKind.optional(),
          status: operationStatus.optional(),
          resourceId: id.optional(),
          ...pageQuery,
        }),
        response: answers({ 200: z.array(operationSchema) }),
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query;
      const { resources } = request.principal;
      const page = await application.operations.list(
        resources === undefined ? filter : { ...filter, resources },
        pageRequest({ limit, cursor }),
      );
      announceNextPage(request, reply, page);
      return reply.send(page.items.filter((operation) => mayKnowOf(request.principal, operation)));
    },
  );

  server.get(
    '/operations/:id',
    {
      config: { role: 'viewer' },
      exposeHeadRoute: false,
      schema: {
        tags: TAGS,
        summary: 'Get an operation',
        description:
          'How it stands. `Prefer: wait=60` answers when it has ended or the time is over; `Accept: text/event-stream` gives its events.',
        params: idPath,
        response: answers({ 200: operationSchema }),
      },
    },
    async (request, reply) => {
      const operation = await visibleOperation(application, request.principal, request.params.id);
      if (request.headers.accept?.includes(EVENT_STREAM) === true) {
        return answerOperationEvents(context, operation.id, request, reply);
      }
      const milliseconds = preferredWait(request, reply);
      if (milliseconds === 0) return reply.send(operation);
      const waiting = new AbortController();
      reply.raw.once('close', () => waiting.abort());
      return reply.send(await application.operations.wait(operation.id, milliseconds, waiting.signal));
    },
  );

  server.get(
    '/operations/:id/events',
    {
      config: { role: 'viewer' },
      exposeHeadRoute: false,
      schema: {
        tags: TAGS,
        summary: 'Watch an operation',
        description:
          'Server-sent events: `operation` with the whole operation at first and after each change, `end` when it has ended.',
        params: idPath,
        response: answers({ 200: bytesAnswer('Events.', EVENT_STREAM, z.string()) }),
      },
    },
    async (request, reply) => {
      const operation = await visibleOperation(application, request.principal, request.params.id);
      return answerOperationEvents(context, operation.id, request, reply);
    },
  );

  server.post(
    '/operations/:id/cancel',
    {
      config: { role: 'operator', audit: 'operation.cancel' },
      schema: {
        tags: TAGS,
        summary: 'Cancel an operation',
        description: 'Asks it to stop; nothing half-done is left. One that has ended is answered 409.',
        params: idPath,
        response: answers({ 202: operationSchema }),
      },
    },
    async (request, reply) => {
      const operation = await visibleOperation(application, request.principal, request.params.id);
      return reply.code(202).send(await application.operations.cancel(operation.id));
    },
  );
}
