import { z } from 'zod';
import { base32, Pseudonyms } from '../pseudonym.ts';
import type { Transformer } from '../transformer.ts';
import { codeFacts, TOKEN_LENGTH } from './codes.ts';
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
  create: ({ domain, length }, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    const end = `@${domain}`;
    return (value) => (value === '' ? '' : base32(pseudonyms.of(value)).slice(0, length) + end);
  },
};

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
  create: ({ prefix, length }, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    return (value) => (value === '' ? '' : prefix + base32(pseudonyms.of(value)).slice(0, length));
  },
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
  create: ({ host }, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    const start = `https://${host}/`;
    return (value) => (value === '' ? '' : start + base32(pseudonyms.of(value)));
  },
};
