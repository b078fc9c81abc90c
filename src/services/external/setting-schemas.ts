import { z } from 'zod';

const SECRET_REFERENCE = /^(env:.+|file:\/.+)$/;

/** Secrets stand nowhere but where these point to. */
export const secretReference = z
  .string()
  .regex(SECRET_REFERENCE, 'must be a reference, `env:NAME` or `file:/path`: no secret stands in a configuration');

export function isSecretReference(text: string): boolean {
  return SECRET_REFERENCE.test(text);
}

export const absoluteFile = z.string().startsWith('/', 'must be an absolute path');

/** `https://server:port` and maybe a path; credentials have fields of their own. */
export const serverUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return false;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}, 'must be the URL of a server such as https://search.example:9200, without user, password and query');
