import type { NotificationConfiguration } from '../core/notification-configuration.ts';
import type { DocumentTable } from '../core/ports/catalogue.ts';
import type { Logger } from '../core/ports/logger.ts';
import type { Notifier } from '../core/ports/notifier.ts';
import type { UndeliveredNotification } from '../core/undelivered-notification.ts';
import { configuredCouriers } from './configured-couriers.ts';
import { createLogNotifier } from './log/log-notifier.ts';
import type { WebhookParts } from './webhook/webhook-courier.ts';

export interface ConfiguredNotifierParts extends WebhookParts {
  /** Told always. */
  logger: Logger;
  host: string;
  /** Where what is not delivered outlives the process; absent: it ends with it. */
  undelivered?: DocumentTable<UndeliveredNotification> | undefined;
  /** Told of each notification that could not be delivered, besides the log. */
  onUndelivered?: ((message: string) => void) | undefined;
}

/** Tells the log, and whom the configuration names; what that takes is loaded only where it names somebody. */
export async function configuredNotifier(
  notifications: readonly NotificationConfiguration[],
  { logger, undelivered, onUndelivered, ...parts }: ConfiguredNotifierParts,
): Promise<Notifier> {
  const log = createLogNotifier(logger);
  if (notifications.length === 0 && undelivered === undefined) return log;
  const [{ createPeopleNotifier }, { KeptMessages }] = await Promise.all([
    import('./people-notifier.ts'),
    import('./kept-messages.ts'),
  ]);
  const warn = (facts: object, message: string) => {
    logger.warn(facts, message);
    onUndelivered?.(message);
  };
  return createPeopleNotifier({
    log,
    targets: await configuredCouriers(notifications, parts),
    host: parts.host,
    clock: parts.clock,
    kept: undelivered === undefined ? undefined : new KeptMessages(undelivered, logger),
    logger: {
      debug: (facts, message) => logger.debug(facts, message),
      info: (facts, message) => logger.info(facts, message),
      warn,
    },
  });
}
