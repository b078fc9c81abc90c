import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { HttpServer, RouteRules } from './http-server.ts';
// Imported for its name: every route's default answer refers to the component `Problem`.
import './schemas/administration-schema.ts';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';
import { answers } from './route-schemas.ts';

const TAGS = [
  { name: 'Backups', description: 'Making, finding, reading and deleting backups.' },
  { name: 'Restore', description: 'Bringing data back.' },
  { name: 'Downloads', description: "Developers' copies of backups." },
  { name: 'Variants', description: 'Masked and reduced copies that are kept.' },
  { name: 'Drills', description: 'Proving that backups restore.' },
  { name: 'Resources', description: 'What is backed up.' },
  { name: 'Operations', description: 'Work with a life of its own.' },
  { name: 'Policies', description: 'Which backups are kept.' },
  { name: 'Schedules', description: 'Backups that start by themselves.' },
  { name: 'Repositories', description: 'Where the bytes rest.' },
  { name: 'Copies', description: 'Where they rest a second and a third time.' },
  { name: 'Tokens', description: 'Credentials of programs.' },
  { name: 'Users', description: 'Credentials of people.' },
  { name: 'Audit', description: 'Who did what.' },
  { name: 'Service', description: 'The service itself.' },
];

/** Collects the routes that are added later into the OpenAPI document. To be called before them. */
export async function collectDocumentation(server: HttpServer, version: string): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description:
          'Self-hosted backups that prove they restore. Errors are `application/problem+json` (RFC 9457) whose `code` is stable and whose `detail` says what to do; `type` names the same as `code` and is no address. Times are RFC 3339 in UTC, sizes are bytes. Routes that start work honour `Prefer: wait=SECONDS`; those that make something honour `Idempotency-Key`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: TAGS,
      components: {
        securitySchemes: {
          bearerToken: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A token that `holdfast token create` made, or an access token of the configured issuer. Not needed while no credentials exist: then only programs of this machine may call.',
          },
          password: {
            type: 'http',
            scheme: 'basic',
            description: 'Name and password of a user, here or in the directory; or any name and a token.',
          },
        },
      },
    },
    transform: (route) => {
      const described = jsonSchemaTransform(route);
      if (route.schema === undefined || described.schema === undefined) return described;
      return { url: described.url, schema: withRules(described.schema, route.route.config ?? {}) };
    },
    transformObject: (document) => {
      const whole = jsonSchemaTransformObject(document);
      const schemas: Record<string, unknown> = ('components' in whole ? whole.components?.schemas : undefined) ?? {};
      // Named schemas are all of answers; nothing refers to their variants for requests.
      for (const name of Object.keys(schemas)) if (name.endsWith('Input')) delete schemas[name];
      return whole;
    },
  });
}

/** `/openapi.json` and, with all that it needs, `/docs`. */
export async function documentationRoutes(server: HttpServer): Promise<void> {
  server.get(
    '/openapi.json',
    {
      config: { role: 'anyone' },
      schema: {
        tags: ['Service'],
        summary: 'OpenAPI document',
        description: 'This documentation for programs: OpenAPI 3.1.',
        response: answers({ 200: z.record(z.string(), z.unknown()) }),
      },
    },
    async (_request, reply) => reply.type('application/json; charset=utf-8').send(JSON.stringify(server.swagger())),
  );
  await server.register(async (pages) => {
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, role: 'anyone' };
    });
    await pages.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_CONTENT_POLICY,
      theme: { title: 'Holdfast API' },
      logo: { type: 'image/svg+xml', content: LOGO, href: '/docs' },
      uiConfig: { url: '/openapi.json', validatorUrl: null, docExpansion: 'list', tryItOutEnabled: true },
    });
  });
}

const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="36"><text x="0" y="26" font-family="sans-serif" font-size="24" font-weight="bold" fill="white">Holdfast</text></svg>';

/** What the door adds to a route: who may call it, the headers that it knows, and how it answers when something is wrong. */
function withRules(schema: object, { role, idempotent }: RouteRules): Record<string, unknown> {
  const described: Record<string, unknown> = { ...schema };
  const answersByStatus = Object.entries(described.response ?? {}).map(([status, answer]) => [
    status,
    'content' in answer
      ? answer
      : { description: STATUS_CODES[status], content: { 'application/json': { schema: answer } } },
  ]);
  described.response = { ...Object.fromEntries(answersByStatus), default: PROBLEM_ANSWER };
  described.operationId = operationId(String(described.summary ?? ''));
  if (idempotent === true) described.headers = IDEMPOTENCY_HEADERS;
  described.security = role === 'anyone' ? [] : [{ bearerToken: [] }, { password: [] }];
  if (role !== 'anyone')
    described.description = `${String(described.description ?? '')}\n\nNeeds the role \`${role}\`.`;
  return described;
}

/** «Create a backup» as `createBackup`. */
function operationId(summary: string): string {
  const words = summary
    .replaceAll(/[^A-Za-z ]/g, '')
    .split(' ')
    .filter((word) => !['a', 'an', 'the'].includes(word));
  return words
    .map((word, at) => (at === 0 ? word.toLowerCase() : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()))
    .join('');
}

const IDEMPOTENCY_HEADERS = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description: 'Repeating a request with the same key and body gives the first answer again, for 24 hours.',
    },
  },
};

/** Everything from this server, nothing from elsewhere; not inside other pages. */
const PAGE_CONTENT_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; object-src 'none'; base-uri 'self'";

const PROBLEM_ANSWER = {
  description: 'What went wrong and what to do next.',
  content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
};
