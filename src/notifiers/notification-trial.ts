import type { TriedNotification } from '../core/composition.ts';
import { HoldfastError } from '../core/errors.ts';
import type { NotificationConfiguration } from '../core/notification-configuration.ts';
import { configuredCouriers } from './configured-couriers.ts';
import { reasonOf } from './delivery.ts';
import { testMessage } from './people-notifier.ts';
import type { WebhookParts } from './webhook/webhook-courier.ts';

/** Sends a test to each target, once and whatever events it wants, and says whether it was taken. */
export async function tryNotifications(
  notifications: readonly NotificationConfiguration[],
  parts: WebhookParts & { host: string; signal: AbortSignal },
): Promise<TriedNotification[]> {
  const targets = await configuredCouriers(notifications, parts);
  return Promise.all(
    targets.map(async ({ configuration: { name }, courier }): Promise<TriedNotification> => {
      const { place } = courier;
      try {
        await courier.deliver(testMessage(name, parts), parts.signal);
        return { name, place, isTaken: true };
      } catch (error) {
        parts.signal.throwIfAborted();
        const code = error instanceof HoldfastError ? error.code : 'internal';
        return { name, place, isTaken: false, problem: { code, message: reasonOf(error) } };
      }
    }),
  );
}
