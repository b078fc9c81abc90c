import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Configuration } from '../core/configuration.ts';
import { HoldfastError } from '../core/errors.ts';
import { resolveSecret } from './resolve-secret.ts';

/**
 * Reads secrets for resources, but none that is of Holdfast itself: whoever may define a resource also chooses the server that its
 * password is sent to, and must not have the keys of the repository, or the password of the directory, sent there.
 *
 * @throws HoldfastError `secret-not-for-resources` (denied), `secret-missing` (invalid)
 */
export function createServiceSecretResolver(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv,
): (reference: string) => Promise<string> {
  const repositories = [...configuration.repositories, ...configuration.copies];
  const keys = repositories.flatMap((repository) => repository.keys);
  const { ldap, proxy } = configuration.identity ?? {};
  const ofIdentity = [ldap?.bindPassword, proxy?.secret].filter((reference) => reference !== undefined);
  const ofNotifications = (configuration.notifications ?? []).flatMap(({ webhook, mail }) =>
    [mail?.password, webhook?.url, webhook?.secret, ...Object.values(webhook?.headers ?? {})].filter(
      (each) => each !== undefined,
    ),
  );
  const own = new Set([
    ...OF_PROXIES,
    ...keys.map((key) => (key.kind === 'keyfile' ? `file:${path.resolve(key.path)}` : key.passphrase)),
    ...repositories.flatMap(({ storage }) => secretsOfStorage(storage)),
    ...[...ofIdentity, ...ofNotifications].map((reference) =>
      reference.replace(/^file:(.*)$/s, (_all, file) => `file:${path.resolve(file)}`),
    ),
  ]);
  return async (reference) => {
    const isOwn =
      own.has(reference) ||
      reference.startsWith('env:HOLDFAST_') ||
      (reference.startsWith('file:') &&
        (await isOwnFile(reference.slice('file:'.length), own, configuration.dataFolder)));
    if (!isOwn) return resolveSecret(reference, environment);
    throw new HoldfastError(
      'denied',
      'secret-not-for-resources',
      `${reference} is a secret of Holdfast itself, or lies in its data folder. Name another variable or file for the password of a resource.`,
    );
  };
}

/** Their addresses may hold passwords. */
const OF_PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY'].flatMap((name) => [`env:${name}`, `env:${name.toLowerCase()}`]);

/** Of a bucket, as the configuration names them or as the AWS SDK finds them. */
function secretsOfStorage({ kind, options }: Configuration['repositories'][number]['storage']): string[] {
  if (kind !== 's3') return [];
  const { accessKeyId, secretAccessKey, sessionToken } = options;
  const named = [accessKeyId, secretAccessKey, sessionToken]
    .filter((reference) => typeof reference === 'string')
    .map((reference) => (reference.startsWith('file:') ? `file:${path.resolve(reference.slice(5))}` : reference));
  return named.length > 0 ? named : ['env:AWS_ACCESS_KEY_ID', 'env:AWS_SECRET_ACCESS_KEY', 'env:AWS_SESSION_TOKEN'];
}

async function isOwnFile(file: string, own: ReadonlySet<string>, dataFolder: string): Promise<boolean> {
  for (const place of [path.resolve(file), await realpath(file).catch(() => file)])
    if (own.has(`file:${place}`) || place.startsWith(path.join(dataFolder, path.sep))) return true;
  return false;
}
