import { z } from 'zod';
import { seededFunction } from '../seeded-function.ts';
import type { SeededOutput } from '../seeded-output.ts';
import type { Transformer } from '../transformer.ts';
import { codeFacts, codeOutput, TOKEN_LENGTH } from './codes.ts';
import { TEXT } from './families.ts';

const HOST = z
  .string()
  .max(190)
  .regex(/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/, 'is no name of a host');
/** RFC 6761 keeps `.test` for what must never reach anybody. */
export const NOBODY = HOST.default('example.test');

interface EmailOptions extends Record<string, unknown> {
  domain: string;
  length: number;
}

export const email: Transformer<EmailOptions> = {
  name: 'email',
  description:
    'An address that reaches nobody: a keyed hash of the whole address, at example.test or a domain of yours.',
  options: z.strictObject({ domain: NOBODY, length: TOKEN_LENGTH }),
  shorthand: 'domain',
  facts: ({ domain, length }) => ({ ...codeFacts(length * 5), accepts: TEXT, maxLength: length + 1 + domain.length }),
  create: (options, { key }) => seededFunction(emailOutput(options), key),
  seeded: emailOutput,
};

function emailOutput({ domain, length }: EmailOptions): SeededOutput {
  return codeOutput({ length, suffix: `@${domain}` });
}

interface UsernameOptions extends Record<string, unknown> {
  prefix: string;
  length: number;
}

export const username: Transformer<UsernameOptions> = {
  name: 'username',
  description: 'A name to sign in with: user_ and a keyed hash.',
  options: z.strictObject({ prefix: z.string().max(32).default('user_'), length: TOKEN_LENGTH }),
  shorthand: 'length',
  facts: ({ prefix, length }) => ({ ...codeFacts(length * 5), accepts: TEXT, maxLength: [...prefix].length + length }),
  create: (options, { key }) => seededFunction(codeOutput(options), key),
  seeded: codeOutput,
};

interface UrlOptions extends Record<string, unknown> {
  host: string;
}

export const url: Transformer<UrlOptions> = {
  name: 'url',
  description: 'An address at example.test or a host of yours, whose path is a keyed hash of the whole.',
  options: z.strictObject({ host: NOBODY }),
  shorthand: 'host',
  facts: ({ host }) => ({ ...codeFacts(128), accepts: TEXT, maxLength: 'https://'.length + host.length + 1 + 26 }),
  create: (options, { key }) => seededFunction(urlOutput(options), key),
  seeded: urlOutput,
};

function urlOutput({ host }: UrlOptions): SeededOutput {
  return codeOutput({ prefix: `https://${host}/` });
}
