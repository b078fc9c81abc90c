import { randomUUID } from 'node:crypto';
import type { NotificationConfiguration } from '../core/notification-configuration.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Logger } from '../core/ports/logger.ts';
import { isCompletion, type Notification, type Notifier } from '../core/ports/notifier.ts';
import { coverResource } from '../core/resource-pattern.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import type { KeptMessages } from './kept-messages.ts';
import { type Courier, type Message, titleOf } from './message.ts';
import { RepeatedNotifications } from './repeated-notifications.ts';

export interface PeopleNotifierParts {
  /** Told of everything, at once. */
  log: Notifier;
  targets: readonly { configuration: NotificationConfiguration; courier: Courier }[];
  host: string;
  clock: Clock;
  /** Told of what could not be delivered. */
  logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  /** Where messages outlive the process until they were taken; absent: they end with it. */
  kept?: KeptMessages | undefined;
  delivery?: Pick<DeliveryOptions, 'pausesMilliseconds' | 'patienceMilliseconds' | 'graceMilliseconds'>;
}

/** Tells the log, and whom the configuration names, in the background. */
export function createPeopleNotifier({ log, targets, ...parts }: PeopleNotifierParts): Notifier {
  const repeated = new RepeatedNotifications();
  const { logger, kept } = parts;
  const deliveries = targets.map(({ configuration, courier }) => ({
    configuration,
    delivery: new Delivery({ name: configuration.name, courier, logger, kept, ...parts.delivery }),
  }));
  return {
    async notify(notification: Notification): Promise<void> {
      await log.notify(notification);
      const { tell, heldBack } = repeated.consider(notification, parts.clock.now());
      const wanting = deliveries.filter(({ configuration }) => wants(configuration, notification));
      if (!tell || wanting.length === 0) return;
      const message = { ...composed(notification, parts), ...(heldBack === 0 ? {} : { repeated: heldBack }) };
      for (const { delivery } of wanting) delivery.add(message);
    },
    async start(): Promise<void> {
      for (const { target, message } of (await kept?.load()) ?? []) {
        const resumed = deliveries.find(({ configuration }) => configuration.name === target);
        if (resumed === undefined) forget(target, message, parts);
        else resumed.delivery.resume(message);
      }
    },
    async close(): Promise<void> {
      await Promise.all([log.close?.(), ...deliveries.map(({ delivery }) => delivery.close())]);
    },
  };
}

/** A message that says of itself that it is a test. */
export function testMessage(name: string, parts: Pick<PeopleNotifierParts, 'host' | 'clock'>): Message {
  const message = 'This is a test of notifications. Nothing has happened.';
  return composed({ type: 'test', subject: name, message, details: {} }, parts);
}

function forget(
  target: string,
  message: Message,
  { logger, kept }: Pick<PeopleNotifierParts, 'logger' | 'kept'>,
): void {
  const { type, subject } = message;
  kept?.remove(target, message);
  logger.warn(
    { target, notification: type, subject },
    `The notification ${type} of ${subject} was not delivered to "${target}": the configuration names it no more.`,
  );
}

function wants({ events, subjects }: NotificationConfiguration, { type, subject }: Notification): boolean {
  const isWanted = events === undefined ? !isCompletion(type) : events.includes(type);
  return isWanted && coverResource(subjects, subject);
}

function composed(
  notification: Pick<Message, 'type' | 'subject' | 'message' | 'details'>,
  { host, clock }: Pick<PeopleNotifierParts, 'host' | 'clock'>,
): Message {
  const { type, subject, message, details } = notification;
  const title = titleOf({ type, subject, host });
  return { id: randomUUID(), type, at: clock.now().toISOString(), host, subject, title, message, details };
}
