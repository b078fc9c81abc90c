import type { Logger } from '../../core/ports/logger.ts';
import { isCompletion, type Notification, type Notifier } from '../../core/ports/notifier.ts';

/** Tells the log: what went wrong as a warning, so that whatever watches the log can raise an alarm. */
export function createLogNotifier(logger: Logger): Notifier {
  return {
    async notify({ type, subject, message, details }: Notification): Promise<void> {
      const facts = { event: type, subject, ...details };
      if (isCompletion(type)) logger.info(facts, message);
      else logger.warn(facts, message);
    },
  };
}
