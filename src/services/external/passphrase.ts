import { messageOf } from '../../core/errors.ts';
import type { PassphraseConfiguration } from './configuration.ts';
import { inStep, StepFault } from './step-failure.ts';
import type { VaultSecrets } from './vault/vault-secrets.ts';

/**
 * Fetches what decrypts the backups, each time anew, so that a passphrase that was changed is found.
 * @throws HoldfastError `external-passphrase-failed`
 */
export function fetchPassphrase(
  configuration: PassphraseConfiguration,
  { vault, resolveSecret }: { vault: VaultSecrets; resolveSecret: (reference: string) => Promise<string> },
  signal: AbortSignal,
): Promise<string> {
  return inStep('passphrase', signal, async () => {
    if (typeof configuration !== 'string') return vault.read(configuration.vault, signal);
    return resolveSecret(configuration).catch((cause: unknown) => {
      throw new StepFault('unavailable', messageOf(cause), { cause });
    });
  });
}
