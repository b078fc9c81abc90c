import type { InspectedNotification } from '../core/composition.ts';
import { HoldfastError } from '../core/errors.ts';
import type { NotificationConfiguration } from '../core/notification-configuration.ts';
import { configuredCouriers } from './configured-couriers.ts';
import { reasonOf } from './delivery.ts';
import type { WebhookParts } from './webhook/webhook-courier.ts';

/** Looks whether each target could be sent something, and sends nothing. */
export async function inspectNotifications(
  notifications: readonly NotificationConfiguration[],
  parts: WebhookParts & { signal: AbortSignal },
): Promise<InspectedNotification[]> {
  const targets = await configuredCouriers(notifications, parts);
  return Promise.all(
    targets.map(async ({ configuration: { name }, courier }): Promise<InspectedNotification> => {
      const { place } = courier;
      try {
        await courier.check(parts.signal);
        return { name, place };
      } catch (error) {
        parts.signal.throwIfAborted();
        return { name, place, problem: problemOf(error) };
      }
    }),
  );
}

function problemOf(error: unknown): InspectedNotification['problem'] & object {
  if (!(error instanceof HoldfastError)) return { code: 'internal', message: reasonOf(error) };
  const { code, details } = error;
  const advice = ADVICE[code] ?? (/-unreachable$/.test(code) ? adviceOnConnecting(String(details.reason)) : undefined);
  return { code, message: reasonOf(error), ...(advice === undefined ? {} : { advice }) };
}

/** By code of the error; where there is none, its message says what to do. */
const ADVICE: Readonly<Record<string, string>> = {
  'secret-missing': 'Set it for the account that Holdfast runs as, or correct the reference in holdfast.yaml.',
  'webhook-address-invalid': 'Put the whole address there, and nothing else.',
  'webhook-header-invalid': 'It must be one line of printable ASCII.',
  'authorities-unreadable': 'Correct "ca", or who may read the file.',
  'proxy-invalid': 'Correct the variable, or name the host in NO_PROXY.',
  'mail-refused': 'Correct "user" and "password", or what the server allows this account.',
};

function adviceOnConnecting(reason: string): string {
  if (/^(ENOTFOUND|EAI_AGAIN|EDNS)$/.test(reason))
    return 'See whether the name is right, and whether this machine can resolve it. Where only a proxy can, set HTTPS_PROXY.';
  if (reason === 'proxy-refused') return 'See what the proxy allows, or name the host in NO_PROXY.';
  if (/CERT|SIGNED|ISSUER|ALTNAME/.test(reason))
    return 'See whether the certificate is for this name, and name the authority that signed it in "ca".';
  return 'See whether host and port are right, and whether a firewall is in between.';
}
