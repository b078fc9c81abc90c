import { z } from 'zod';
import type { Principal } from '../../../core/access.ts';
import { mayUse, requireAssertionGrant, visibleResource, visibleSchedule } from '../grants.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { id, idPath } from '../schemas/fields.ts';
import { newScheduleRequest, scheduleRequest, scheduleSchema } from '../schemas/resource-schema.ts';

const TAGS = ['Schedules'];

/** Backups that start by themselves. */
export function scheduleRoutes(server: HttpServer, { application }: HttpContext): void {
  const { schedules } = application;

  server.get(
    '/schedules',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'List schedules',
        description: 'Those of the resources that the caller may use.',
        querystring: z.strictObject({ resourceId: id.optional() }),
        response: answers({ 200: z.array(scheduleSchema) }),
      },
    },
    async (request, reply) => {
      const { resourceId } = request.query;
      const visible = (await schedules.list()).filter((schedule) => mayUse(request.principal, schedule.resourceId));
      return reply.send(resourceId === undefined ? visible : visible.filter((one) => one.resourceId === resourceId));
    },
  );

  server.post(
    '/schedules',
    {
      config: { role: 'operator', audit: 'schedule.put', idempotent: true },
      schema: {
        tags: TAGS,
        summary: 'Create a schedule',
        description: 'For a resource that Holdfast fetches itself.',
        body: newScheduleRequest,
        response: answers({ 201: scheduleSchema }),
      },
    },
    async (request, reply) => {
      await requireSchedulable(request.principal, request.body);
      if (request.body.id !== undefined) await requireOwnOrNew(request.body.id, request.principal);
      const schedule = await schedules.put(request.body);
      request.auditSubject = schedule.id;
      return reply.code(201).header('location', `/schedules/${schedule.id}`).send(schedule);
    },
  );

  server.get(
    '/schedules/:id',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get a schedule',
        description: 'With its last and its next run.',
        params: idPath,
        response: answers({ 200: scheduleSchema }),
      },
    },
    async (request, reply) => reply.send(await visibleSchedule(application, request.principal, request.params.id)),
  );

  server.put(
    '/schedules/:id',
    {
      config: { role: 'operator', audit: 'schedule.put' },
      schema: {
        tags: TAGS,
        summary: 'Create or replace a schedule',
        description: '`enabled: false` suspends it.',
        params: idPath,
        body: scheduleRequest,
        response: answers({ 200: scheduleSchema }),
      },
    },
    async (request, reply) => {
      await requireSchedulable(request.principal, request.body);
      await requireOwnOrNew(request.params.id, request.principal);
      return reply.send(await schedules.put({ id: request.params.id, ...request.body }));
    },
  );

  server.delete(
    '/schedules/:id',
    {
      config: { role: 'operator', audit: 'schedule.delete' },
      schema: {
        tags: TAGS,
        summary: 'Delete a schedule',
        description: 'What runs already goes on.',
        params: idPath,
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      const schedule = await visibleSchedule(application, request.principal, request.params.id);
      await schedules.delete(schedule.id);
      return reply.send({ deleted: [schedule.id] });
    },
  );

  /** Of a resource that the caller may know of; its drills ask nothing that the caller may not. */
  async function requireSchedulable(
    principal: Principal,
    { resourceId, assertions }: { resourceId: string; assertions?: readonly unknown[] | undefined },
  ): Promise<void> {
    await visibleResource(application, principal, resourceId);
    requireAssertionGrant(principal, resourceId, assertions);
  }

  /** A schedule of a resource that the caller may not use is not to be taken over by its id. */
  async function requireOwnOrNew(scheduleId: string, principal: Principal): Promise<void> {
    const exists = (await schedules.list()).some((schedule) => schedule.id === scheduleId);
    if (exists) await visibleSchedule(application, principal, scheduleId);
  }
}
