import { readFile } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../core/errors.ts';

/**
 * The authorities that Node.js knows, and those of a file.
 * @returns PEM
 * @throws HoldfastError `authorities-unreadable` (invalid)
 */
export async function trustedAuthorities(file: string): Promise<string[]> {
  const pem = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(`The file of authorities ${file} cannot be read: ${messageOf(cause)}`, cause);
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw unreadable(`${file} holds no certificate. An authority is expected there, in PEM.`);
  const { getCACertificates } = await import('node:tls');
  return [...getCACertificates('default'), pem];
}

function unreadable(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('invalid', 'authorities-unreadable', message, { cause });
}
