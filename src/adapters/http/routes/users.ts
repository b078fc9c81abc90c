import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { userPath, userRequest, userSchema } from '../schemas/access-schema.ts';

const TAGS = ['Users'];

/** People who sign in with a password. With the first one, calls without credentials end. */
export function userRoutes(server: HttpServer, { application }: HttpContext): void {
  const { users } = application;

  server.get(
    '/users',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'List users',
        description: 'Those whose passwords Holdfast keeps; never the passwords.',
        querystring: z.strictObject({}),
        response: answers({ 200: z.array(userSchema) }),
      },
    },
    async (_request, reply) => reply.send(await users.list()),
  );

  server.get(
    '/users/:name',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'Get a user',
        description: 'Never the password. Names are found whatever their case.',
        params: userPath,
        response: answers({ 200: userSchema }),
      },
    },
    async (request, reply) => reply.send(await users.get(request.params.name)),
  );

  server.put(
    '/users/:name',
    {
      config: { role: 'admin', unconfined: true, audit: 'user.put' },
      schema: {
        tags: TAGS,
        summary: 'Create or replace a user',
        description:
          'What is left out of a user who exists is taken away, but the password stays unless a new one is given. As soon as one user exists, every call needs credentials.',
        params: userPath,
        body: userRequest,
        response: answers({ 200: userSchema, 201: userSchema }),
      },
    },
    async (request, reply) => {
      const { password, ...settings } = request.body;
      request.auditDetails = {
        role: settings.role,
        disabled: settings.disabled,
        passwordChanged: password !== undefined,
      };
      const { user, created } = await users.put(request.params.name, settings, password);
      request.auditSubject = user.name;
      if (created) reply.code(201).header('location', `/users/${encodeURIComponent(user.name)}`);
      return reply.send(user);
    },
  );

  server.delete(
    '/users/:name',
    {
      config: { role: 'admin', unconfined: true, audit: 'user.delete' },
      schema: {
        tags: TAGS,
        summary: 'Delete a user',
        description: 'At once. Without any credentials left, only programs of this machine may call.',
        params: userPath,
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      const { name } = await users.get(request.params.name);
      request.auditSubject = name;
      await users.delete(name);
      return reply.send({ deleted: [name] });
    },
  );
}
