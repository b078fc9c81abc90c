import { randomInt } from 'node:crypto';
import type { Backup } from './backup.ts';
import type { DrillMoment } from './drill.ts';
import type { DrillRequest } from './drill-request.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import { type Moment, readMoment } from './moment.ts';
import type { LogPiece, MomentWindow, ServiceLog } from './ports/resource-log.ts';
import type { Service } from './ports/service.ts';
import { recordedData } from './recorded-data.ts';
import { ResourceLogStore } from './resource-log-store.ts';
import { saysDamaged } from './validator.ts';

/** A moment that a drill restores to, and the backup that leads there. */
export interface ChosenMoment {
  backup: Backup;
  moment: DrillMoment;
}

/**
 * Finds the moment of a drill and the backup that a restore to it would begin with: the newest one that was complete by then, unless the request
 * names one. Random moments are spread evenly over the time that the log covers.
 * @param named the backup that the request names, if it does
 * @returns undefined where the request is for the newest state
 * @throws HoldfastError `drill-choice-mixed`, `timestamp-invalid` (invalid), `drill-moment-not-offered` (unsupported), `moment-not-in-log` (not-found)
 */
export async function chooseMoment(
  context: ManagerContext,
  { moment = 'newest', which, resourceId }: DrillRequest,
  named: Backup | undefined,
): Promise<ChosenMoment | undefined> {
  if (moment === 'newest') return undefined;
  const chosenAt = moment === 'random' ? undefined : chosenMoment(moment);
  const all = (await context.catalogue.backups.allOf(resourceId)).filter(({ status }) => status === 'completed');
  const log = requireMoments(await serviceOf(context, resourceId, all[0]), which);
  const pieces = await new ResourceLogStore(context, resourceId).pieces();
  const moments = new Moments(context, log, pieces);
  const spans =
    named === undefined ? spansOf(all) : [{ backup: named, from: Date.parse(named.completedAt), to: Infinity }];
  if (chosenAt === undefined) return moments.random(resourceId, spans);
  const span = spans.find(({ from, to }) => from <= chosenAt.milliseconds && chosenAt.milliseconds < to);
  if (span === undefined) throw notInLog(resourceId, chosenAt.written, 'no backup was complete by then');
  await moments.require(span, chosenAt);
  return { backup: span.backup, moment: { which: 'chosen', at: chosenAt.written } };
}

/**
 * What tells the moments of a service's logs, where a drill asks for one.
 * @throws HoldfastError `drill-choice-mixed` (invalid), `drill-moment-not-offered` (unsupported)
 */
export function requireMoments(
  { name, log }: Service,
  which?: 'newest' | 'random',
): NonNullable<ServiceLog['moments']> {
  if (which !== undefined) throw mixed();
  if (log?.moments !== undefined) return log.moments.bind(log);
  const message = `The service "${name}" keeps no log, so its drills restore backups as they are. Leave \`moment\` away.`;
  throw new HoldfastError('unsupported', 'drill-moment-not-offered', message, { details: { service: name } });
}

/** The time for which a backup is the one to begin with; milliseconds since 1970. */
interface Span {
  backup: Backup;
  from: number;
  /** Not in it. */
  to: number;
}

class Moments {
  readonly #context: ManagerContext;
  readonly #log: NonNullable<ServiceLog['moments']>;
  readonly #pieces: readonly LogPiece[];

  constructor(context: ManagerContext, log: NonNullable<ServiceLog['moments']>, pieces: readonly LogPiece[]) {
    this.#context = context;
    this.#log = log;
    this.#pieces = pieces;
  }

  async require(span: Span, { written, milliseconds: time }: Moment): Promise<void> {
    const windows = await this.#windowsIn(span);
    if (windows.some(({ from, to }) => from <= time && time <= to)) return;
    const { resourceId, id } = span.backup;
    const reachable = windows.map(({ from, to }) => `from ${textOf(from)} to ${textOf(to)}`).join(', ');
    const which = reachable === '' ? `no moment after ${id}` : `moments ${reachable}`;
    throw notInLog(resourceId, written, `it holds ${which}`);
  }

  /** Backups are read only as far as needed: each one is drawn by the time that it stands for. */
  async random(resourceId: string, spans: readonly Span[]): Promise<ChosenMoment> {
    const end = Math.max(0, ...this.#pieces.map(({ completedAt }) => Date.parse(completedAt)));
    const left = spans.map((span) => ({ ...span, to: Math.min(span.to, end + 1) })).filter(({ from, to }) => to > from);
    while (left.length > 0) {
      const span = drawn(left);
      const windows = await this.#windowsIn(span);
      if (windows.length > 0) {
        const window = drawn(windows.map(({ from, to }) => ({ from, to: to + 1 })));
        const at = textOf(randomInt(window.from, window.to));
        return { backup: span.backup, moment: { which: 'random', at } };
      }
      left.splice(left.indexOf(span), 1);
    }
    throw notInLog(resourceId, 'any moment after a backup', 'no log is kept, or nothing came to it since');
  }

  /** Whole milliseconds, `to` included. */
  async #windowsIn({ backup, from, to }: Span): Promise<{ from: number; to: number }[]> {
    let windows: readonly MomentWindow[];
    try {
      const recorded = await recordedData(this.#context, backup);
      windows = await this.#log({ backup, recorded, pieces: this.#pieces });
    } catch (error) {
      if (!saysDamaged(error)) throw error;
      // All that the log may lead to: the drill itself finds the damage and keeps it as evidence.
      windows = [{ from: backup.completedAt, to: this.#pieces.at(-1)?.completedAt ?? backup.completedAt }];
    }
    return windows
      .map((window) => ({ from: Math.max(from, upTo(window.from)), to: Math.min(to - 1, Date.parse(window.to)) }))
      .filter((window) => window.from <= window.to);
  }
}

/** Newest first, as backups are listed. */
function spansOf(backups: readonly Backup[]): Span[] {
  return backups.map((backup, place) => {
    const next = backups[place - 1];
    const to = next === undefined ? Infinity : Date.parse(next.completedAt);
    return { backup, from: Date.parse(backup.completedAt), to };
  });
}

/** One of several, each as likely as it is long. */
function drawn<Run extends { from: number; to: number }>(runs: readonly Run[]): Run {
  let at = randomInt(runs.reduce((sum, { from, to }) => sum + (to - from), 0));
  const run = runs.find(({ from, to }) => {
    at -= to - from;
    return at < 0;
  });
  if (run === undefined) throw new HoldfastError('internal', 'nothing-drawn', 'No moment could be drawn at random.');
  return run;
}

async function serviceOf(
  { catalogue, services }: ManagerContext,
  resourceId: string,
  newest: Backup | undefined,
): Promise<Service> {
  const name = (await catalogue.resources.get(resourceId))?.service ?? newest?.service;
  if (name === undefined) throw notInLog(resourceId, 'any moment', 'it has no completed backup');
  return services.get(name);
}

function chosenMoment(text: string): Moment {
  const moment = readMoment(text);
  if (moment !== undefined) return moment;
  const message = `"${text}" is no moment. Use \`newest\`, \`random\` or RFC 3339, for example 2026-01-31T12:30:00Z.`;
  throw new HoldfastError('invalid', 'timestamp-invalid', message, { details: { field: 'moment' } });
}

/** Moments may be told in microseconds: the first whole millisecond that is not before. */
function upTo(moment: string): number {
  return Date.parse(moment) + (/\.\d{3}0*[1-9]/.test(moment) ? 1 : 0);
}

function textOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function mixed(): HoldfastError {
  const message =
    '`which` and `moment` exclude each other: a moment is reached from the newest backup that was complete by then. Name another one by `backupId`.';
  return new HoldfastError('invalid', 'drill-choice-mixed', message, { details: { field: 'moment' } });
}

function notInLog(resourceId: string, moment: string, why: string): HoldfastError {
  const message = `The log of "${resourceId}" does not lead to ${moment}: ${why}. GET /resources/${resourceId}/log tells how the log stands.`;
  return new HoldfastError('not-found', 'moment-not-in-log', message, { details: { resourceId, moment } });
}
