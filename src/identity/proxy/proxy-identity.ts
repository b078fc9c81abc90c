import { createHash, timingSafeEqual } from 'node:crypto';
import { principalByRules } from '../../core/grant-rules.ts';
import type { GrantRule, ProxyConfiguration } from '../../core/identity-configuration.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { IdentityProvider } from '../../core/ports/identity-provider.ts';
import { isWrittenName } from '../../core/user-name.ts';

/**
 * People whom a reverse proxy signed in. The door takes its word from the configured addresses only; here the secret is compared, where
 * one is configured. Whoever lacks it is not heard: what came in the headers is then as if it had not come.
 */
export async function createProxyIdentity(parts: {
  proxy: ProxyConfiguration;
  rules: readonly GrantRule[];
  resolveSecret: (reference: string) => Promise<string>;
  clock: Clock;
}): Promise<IdentityProvider> {
  const { proxy, rules, clock } = parts;
  const secret = proxy.secret === undefined ? undefined : digestOf(await parts.resolveSecret(proxy.secret));
  return {
    method: 'proxy',
    async identify(credentials) {
      if (credentials.kind !== 'asserted') return 'unrecognised';
      const { name, groups } = credentials;
      if (secret !== undefined && !timingSafeEqual(digestOf(credentials.secret ?? ''), secret)) return 'unrecognised';
      if (!isWrittenName(name)) return 'unrecognised';
      return principalByRules(rules, { method: 'proxy', name, groups: groups.filter(isWrittenName) }, clock.now());
    },
  };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
