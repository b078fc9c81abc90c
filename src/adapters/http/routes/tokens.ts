import { z } from 'zod';
import type { HttpContext } from '../http-context.ts';
import type { HttpServer } from '../http-server.ts';
import { answers } from '../route-schemas.ts';
import { newTokenSchema, tokenRequest, tokenSchema } from '../schemas/administration-schema.ts';
import { idPath } from '../schemas/fields.ts';

const TAGS = ['Tokens'];

/** Credentials. With the first token, calls without credentials end. */
export function tokenRoutes(server: HttpServer, { application }: HttpContext): void {
  const { access } = application;

  server.get(
    '/tokens',
    {
      config: { role: 'admin', unconfined: true },
      schema: {
        tags: TAGS,
        summary: 'List tokens',
        description: 'Never the tokens themselves: only their hashes are kept.',
        querystring: z.strictObject({}),
        response: answers({ 200: z.array(tokenSchema) }),
      },
    },
    async (_request, reply) => reply.send(await access.listTokens()),
  );

  server.post(
    '/tokens',
    {
      config: { role: 'admin', unconfined: true, audit: 'token.create' },
      schema: {
        tags: TAGS,
        summary: 'Create a token',
        description:
          'The answer shows the token this once. As soon as one token exists, every call needs one. `Idempotency-Key` has no effect here, because it would mean keeping the token.',
        body: tokenRequest,
        response: answers({ 201: newTokenSchema }),
      },
    },
    async (request, reply) => {
      const created = await access.createToken(request.body);
      request.auditSubject = created.record.id;
      request.auditDetails = { name: created.record.name, role: created.record.role };
      return reply.code(201).header('location', `/tokens/${created.record.id}`).send(created);
    },
  );

  server.delete(
    '/tokens/:id',
    {
      config: { role: 'admin', unconfined: true, audit: 'token.revoke' },
      schema: {
        tags: TAGS,
        summary: 'Revoke a token',
        description: 'At once. Without any token left, only programs of this machine may call.',
        params: idPath,
        response: answers({ 200: z.object({ deleted: z.array(z.string()) }) }),
      },
    },
    async (request, reply) => {
      await access.revokeToken(request.params.id);
      return reply.send({ deleted: [request.params.id] });
    },
  );
}
