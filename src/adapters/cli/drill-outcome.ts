import type { Application } from '../../core/application.ts';
import type { Drill, DrillCheck, DrillVerdict } from '../../core/drill.ts';
import type { Operation } from '../../core/operation.ts';
import { printable } from '../../reports/table.ts';
import type { CommandSession } from './command-session.ts';
import { ExitCode } from './exit-codes.ts';
import { endOfOperation, failureOf } from './follow-operation.ts';
import { count, formatBytes, formatDuration, formatTime } from './formatting.ts';

/** Waits, as `endOfOperation` does, for the evidence that a drill leaves however it ends. */
export async function followDrill(
  application: Application,
  started: Operation,
  session: CommandSession,
): Promise<Drill> {
  const operation = await endOfOperation(application, started, session);
  const drillId = operation.result?.drillId;
  if (typeof drillId !== 'string') throw failureOf(operation, session);
  return application.drills.get(drillId);
}

/** Tells how a drill went, by the exit code too. */
export function tellDrill(session: CommandSession, drill: Drill): void {
  if (drill.outcome !== 'passed')
    session.exitCode = drill.outcome === 'failed' ? ExitCode.damageFound : ExitCode.failure;
  session.output.result({ drill }, () => drillLines(drill));
}

export function drillLines(drill: Drill): string[] {
  const { backup, recoveryTimeMilliseconds: time, restoredBytes, error } = drill;
  const restored = restoredBytes === undefined ? '' : `, ${formatBytes(restoredBytes)}`;
  return [
    `${VERDICTS[drill.outcome]}: ${printable(drill.resourceId)}, ${backup.id} of ${formatTime(backup.createdAt)}${restored}.`,
    ...(error === undefined ? [] : [`  ${printable(error.message)} [${error.code}]`]),
    ...drill.checks.flatMap(checkLines),
    ...(time === undefined ? [] : [`Recovery time ${formatDuration(time)}: until the data could be used.`]),
    ...momentLines(drill),
    recoveryPointLine(drill),
    `Evidence ${drill.id}, ${count(drill.checks.length, 'check')}; "holdfast drill show ${drill.id} --html FILE" makes a page of it.`,
  ];
}

function momentLines({ moment }: Drill): string[] {
  if (moment === undefined) return [];
  const { which, at, reached } = moment;
  const asked = which === 'random' ? `${at}, chosen at random` : at;
  const end =
    reached === undefined ? '' : ` The log was replayed to ${printable(reached.position)}, ${formatTime(reached.at)}.`;
  return [`Restored as it was at ${printable(asked)}.${end}`];
}

function recoveryPointLine({ recoveryPoint: { log, ageMilliseconds } }: Drill): string {
  const age = `Recovery point ${formatDuration(ageMilliseconds)}: the age of the `;
  if (log === undefined) return `${age}newest backup.`;
  return `${age}last change. The log was replayed to ${printable(log.position)}, ${formatTime(log.at)}.`;
}

const MARKS: Record<DrillCheck['outcome'], string> = { passed: 'ok    ', failed: 'FAILED', 'not-applicable': 'n/a   ' };

function checkLines(check: DrillCheck): string[] {
  const subject = check.subject === undefined ? '' : ` (${printable(check.subject)})`;
  const lines = [`  ${MARKS[check.outcome]}  ${printable(check.description)}${subject}`];
  if (check.outcome === 'passed') return lines;
  return [...lines, `          expected ${printable(check.expected)}; found ${printable(check.found)}`];
}

const VERDICTS: Record<DrillVerdict, string> = {
  passed: 'PASSED',
  failed: 'FAILED',
  impossible: 'COULD NOT BE DONE',
};
