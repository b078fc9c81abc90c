import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../core/errors.ts';

/**
 * The usual authorities and those of a file.
 * @returns PEM; undefined, which stands for the usual ones, where there is no file
 * @throws HoldfastError `notification-authorities-missing` (invalid)
 */
export async function authoritiesOf(file: string | undefined): Promise<string[] | undefined> {
  if (file === undefined) return undefined;
  const pem = await readFile(file, 'utf8').catch(() => '');
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    const message = `The file ${file} cannot be read, or holds no certificate in PEM.`;
    throw new HoldfastError('invalid', 'notification-authorities-missing', message);
  }
  const { getCACertificates } = await import('node:tls');
  return [...getCACertificates('default'), pem];
}
