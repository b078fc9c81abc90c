import type { Logger } from '../../core/ports/logger.ts';
import type { Notification, Notifier } from '../../core/ports/notifier.ts';

/** Tells the log: what went wrong as a warning, so that whatever watches the log can raise an alarm. */
export function createLogNotifier(logger: Logger): Notifier {
  return {
    async notify({ type, subject, message, details }: Notification): Promise<void> {
      const facts = { event: type, subject, ...details };
      if (type.endsWith('-completed')) logger.info(facts, message);
      else logger.warn(facts, message);
    },
  };
}
