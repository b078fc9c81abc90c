import type { Credentials } from '../../core/ports/identity-provider.ts';

const BEARER = /^Bearer +([\x21-\x7e]{1,8192})$/i;
const BASIC = /^Basic +([A-Za-z0-9+/]{1,8192}={0,2})$/i;

/**
 * What an `Authorization` header shows: a bearer (RFC 6750), or name and password (RFC 7617, in UTF-8).
 * @returns undefined for what is neither
 */
export function credentialsOf(authorization: string | undefined): Credentials | undefined {
  const token = BEARER.exec(authorization ?? '')?.[1];
  if (token !== undefined) return { kind: 'bearer', token };
  const basic = BASIC.exec(authorization ?? '')?.[1];
  return basic === undefined ? undefined : nameAndPassword(Buffer.from(basic, 'base64'));
}

function nameAndPassword(bytes: Buffer): Credentials | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8, as the challenge asks for: it is nobody's name.
    return undefined;
  }
  const colon = text.indexOf(':');
  if (colon < 0 || /\p{Cc}/u.test(text)) return undefined;
  return { kind: 'password', name: text.slice(0, colon), password: text.slice(colon + 1) };
}
