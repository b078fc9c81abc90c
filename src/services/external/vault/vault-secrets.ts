import { z } from 'zod';
import { StepFault } from '../step-failure.ts';
import type { VaultConfiguration } from './vault-configuration.ts';
import { VaultRefusal } from './vault-request.ts';
import { VaultSession } from './vault-session.ts';

const fieldsSchema = z.record(z.string(), z.unknown());
const versionedSchema = z.object({ data: fieldsSchema.nullish() });

/** Reads secrets of Vault's key/value stores, and keeps the logins that they need. */
export class VaultSecrets {
  readonly #resolveSecret: (reference: string) => Promise<string>;
  readonly #sessions = new Map<string, VaultSession>();

  constructor(resolveSecret: (reference: string) => Promise<string>) {
    this.#resolveSecret = resolveSecret;
  }

  /** @throws StepFault saying what is missing; never with a secret in it */
  async read(configuration: VaultConfiguration, signal: AbortSignal): Promise<string> {
    const { mount, path, version, field } = configuration;
    const place = version === 2 ? `${mount}/data/${path}` : `${mount}/${path}`;
    const question = { deed: `read the secret at ${place}`, path: place };
    const { data } = await this.#session(configuration)
      .ask(question, signal)
      .catch((error: unknown) => {
        throw error instanceof VaultRefusal && error.status === 404 ? missing(place, error) : error;
      });
    const fields = version === 2 ? (versionedSchema.safeParse(data).data?.data ?? undefined) : data;
    const parsed = fieldsSchema.safeParse(fields);
    if (!parsed.success) throw missing(place);
    const value = parsed.data[field];
    if (typeof value === 'string' && value !== '') return value;
    const names = Object.keys(parsed.data).join(', ');
    throw new StepFault('unavailable', `The secret at ${place} has no text in "${field}". Its fields: ${names}.`);
  }

  /** Where the secret lies is no matter of the login. */
  #session(configuration: VaultConfiguration): VaultSession {
    const { address, namespace, caFile, login } = configuration;
    const key = JSON.stringify({ address, namespace, caFile, login });
    const session = this.#sessions.get(key) ?? new VaultSession(configuration, this.#resolveSecret);
    this.#sessions.set(key, session);
    return session;
  }
}

function missing(place: string, cause?: VaultRefusal): StepFault {
  const message = `There is no secret at ${place}, or it was deleted. Look at \`mount\`, \`path\` and \`version\`: 1 for a store without versions.`;
  return new StepFault('unavailable', cause === undefined ? message : `${message} ${cause.message}`, { cause });
}
