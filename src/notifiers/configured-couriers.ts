import type { NotificationConfiguration } from '../core/notification-configuration.ts';
import type { Courier } from './message.ts';
import type { WebhookParts } from './webhook/webhook-courier.ts';

/** A courier for each target; what reaches people is loaded only where it is configured. */
export function configuredCouriers(
  notifications: readonly NotificationConfiguration[],
  parts: WebhookParts,
): Promise<{ configuration: NotificationConfiguration; courier: Courier }[]> {
  return Promise.all(
    notifications.map(async (configuration) => ({ configuration, courier: await courierOf(configuration, parts) })),
  );
}

async function courierOf({ webhook, mail }: NotificationConfiguration, parts: WebhookParts): Promise<Courier> {
  if (mail !== undefined) return (await import('./mail/mail-courier.ts')).createMailCourier(mail, parts.resolveSecret);
  return (await import('./webhook/webhook-courier.ts')).createWebhookCourier(webhook, parts);
}
