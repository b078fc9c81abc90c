import type { Configuration } from '../../core/configuration.ts';
import type { CommandSession } from './command-session.ts';
import type { Finding } from './finding.ts';

/** Whether those who are to be told of trouble could be, before there is some. Nothing is sent. */
export async function* notificationFindings(
  { composition, signal }: CommandSession,
  { notifications = [] }: Configuration,
): AsyncIterable<Finding> {
  const check = 'notifications';
  if (notifications.length === 0) {
    yield { check, state: 'ok', message: 'none are configured: the log and the metrics alone tell of trouble' };
    return;
  }
  for (const { name, place, problem } of await composition.inspectNotifications(notifications, signal)) {
    const trial = `"holdfast notify test ${name}" sends a test.`;
    if (problem === undefined) yield { check, state: 'ok', message: `${name}: ${place} can be reached`, advice: trial };
    else {
      const advice = [problem.advice, trial].filter((sentence) => sentence !== undefined).join(' ');
      yield { check, state: 'fail', message: `${name}: ${problem.message}`, advice };
    }
  }
}
