import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { callerSchema, passwordRequest } from '../schemas/access-schema.ts';

const TAGS = ['Users'];

/** What callers may know and change of themselves. */
export function ownIdentityRoutes(server: HttpServer, { application }: HttpContext): void {
  server.get(
    '/me',
    {
      config: { role: 'viewer' },
      schema: {
        tags: TAGS,
        summary: 'Get the caller',
        description: 'Who you are to Holdfast, how it knows, and what you may do.',
        querystring: z.strictObject({}),
        response: answers({ 200: callerSchema }),
      },
    },
    async ({ principal: { credential: _credential, ...caller } }, reply) => reply.send(caller),
  );

  server.put(
    '/me/password',
    {
      config: { role: 'viewer', audit: 'user.password' },
      schema: {
        tags: TAGS,
        summary: 'Change the own password',
        description: 'For users whose passwords Holdfast keeps, signed in with the present one.',
        body: passwordRequest,
        response: answers({ 200: z.object({ changed: z.string() }) }),
      },
    },
    async (request, reply) => {
      const { principal, body } = request;
      request.auditSubject = principal.name;
      if (principal.method !== 'password') throw notKeptHere(principal.name);
      const { name } = principal;
      const credentials = { kind: 'password' as const, name, password: body.currentPassword };
      const found = await application.access.identify(credentials, request.ip);
      if (found?.method !== 'password' || found.name !== name) throw wrongPassword();
      await application.users.setPassword(name, body.password);
      return reply.send({ changed: name });
    },
  );
}

function notKeptHere(name: string): HoldfastError {
  const message = `The password of ${name} is not kept by Holdfast, or other credentials than it were used. Sign in with name and password, or change it where it is kept.`;
  return new HoldfastError('conflict', 'password-kept-elsewhere', message);
}

function wrongPassword(): HoldfastError {
  return new HoldfastError('denied', 'password-wrong', 'The present password is another one. Nothing was changed.');
}
