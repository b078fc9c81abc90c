import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a self-signed certificate: `certificate.pem` and `key.pem` in a folder.
 * @param subject a name of hosts; default: the loopback
 */
export function certificate(folder: string, subject = 'IP:127.0.0.1'): { key: string; cert: string } {
  const [cert, key] = [path.join(folder, 'certificate.pem'), path.join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...[
        '-subj',
        `/CN=${subject.slice(subject.indexOf(':') + 1)}`,
        '-addext',
        `subjectAltName=${subject}`,
        '-keyout',
        key,
        '-out',
        cert,
      ],
    ],
    { stdio: 'pipe' },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
