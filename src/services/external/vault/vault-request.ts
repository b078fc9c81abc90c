import { z } from 'zod';
import { messageOf } from '../../../core/errors.ts';
import { askJson } from '../http-request.ts';
import { StepFault } from '../step-failure.ts';
import type { VaultConfiguration } from './vault-configuration.ts';

/** What Vault and OpenBao wrap every answer in. */
const answerSchema = z.object({
  data: z.unknown().optional(),
  auth: z
    .object({
      client_token: z.string(),
      lease_duration: z.number().default(0),
      renewable: z.boolean().default(false),
    })
    .nullish(),
});

const errorSchema = z.object({ errors: z.array(z.unknown()).default([]), warnings: z.array(z.unknown()).nullish() });

export type VaultAnswer = z.infer<typeof answerSchema>;

/** Vault said no, with its own words, which hold no secret. */
export class VaultRefusal extends StepFault {
  readonly status: number;

  constructor(status: number, message: string) {
    super('unavailable', message);
    this.name = 'VaultRefusal';
    this.status = status;
  }
}

export interface VaultQuestion {
  /** For errors: `read the secret`. */
  deed: string;
  method: 'GET' | 'POST';
  /** Below `/v1/`, without a slash at its beginning. */
  path: string;
  token?: string;
  body?: unknown;
}

/** @throws VaultRefusal, StepFault; never with a token in it */
export async function askVault(
  { address, namespace, caFile, timeoutSeconds }: VaultConfiguration,
  { deed, method, path, token, body }: VaultQuestion,
  signal: AbortSignal,
): Promise<VaultAnswer> {
  const url = new URL(`${address.replace(/\/+$/, '')}/v1/${path.split('/').map(encodeURIComponent).join('/')}`);
  const headers = {
    'x-vault-request': 'true',
    ...(token === undefined ? {} : { 'x-vault-token': token }),
    ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
  };
  const answer = await askJson({
    ...{ method, url, headers, signal, caFile, timeoutMilliseconds: timeoutSeconds * 1000 },
    ...(body === undefined ? {} : { body }),
  }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new StepFault('unavailable', `Vault at ${url.origin} could not be asked to ${deed}: ${messageOf(cause)}`, {
      cause,
    });
  });
  if (answer.status >= 300) {
    const told = errorSchema.safeParse(answer.body);
    const words = told.success ? [...told.data.errors, ...(told.data.warnings ?? [])].map(String).join('; ') : '';
    throw new VaultRefusal(
      answer.status,
      `Vault at ${url.origin} did not ${deed} (${answer.status}${words === '' ? '' : `: ${words.slice(0, 500)}`}).`,
    );
  }
  const parsed = answerSchema.safeParse(answer.body);
  if (!parsed.success) throw new StepFault('unavailable', `${url.origin} does not answer as Vault does.`);
  return parsed.data;
}
