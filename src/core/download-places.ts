import type { DownloadConfiguration, DownloadPlace } from './download.ts';
import type { Permission } from './download-permissions.ts';
import { HoldfastError } from './errors.ts';
import type { DownloadLimits } from './grant.ts';
import type { DownloadUsageTable } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';

/** Bytes after which what was sent is written down, so that the end of the process hides little of it. */
const WRITTEN_EVERY = 256 << 20;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * Counts downloads: under way at once, in an hour and by bytes in a day (of UTC). What the hour and the day saw is in the catalogue, so
 * that a restart forgets nothing. Who has several permissions may use any of them that has room left.
 */
export class DownloadPlaces {
  readonly #usage: DownloadUsageTable;
  readonly #configuration: DownloadConfiguration;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #accounts = new Map<string, Account>();
  #underWay = 0;

  constructor(parts: {
    usage: DownloadUsageTable;
    configuration: DownloadConfiguration;
    clock: Clock;
    logger: Logger;
  }) {
    this.#usage = parts.usage;
    this.#configuration = parts.configuration;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** @throws HoldfastError `downloads-busy`, `download-limit-reached` (too-many), with `details.retryAfterSeconds` */
  async enter(permissions: readonly Permission[]): Promise<DownloadPlace> {
    const { maxConcurrent } = this.#configuration;
    if (this.#underWay >= maxConcurrent) throw busy(maxConcurrent);
    let refusal: HoldfastError | undefined;
    this.#underWay++;
    try {
      for (const { account, limits } of permissions) {
        const entered = await this.#enter(account, { ...this.#configuration.limits, ...limits });
        if (!(entered instanceof HoldfastError)) return entered;
        refusal = sooner(refusal, entered);
      }
    } catch (error) {
      this.#underWay--;
      throw error;
    }
    this.#underWay--;
    throw refusal ?? new HoldfastError('internal', 'permission-missing', 'A download was begun without a permission.');
  }

  async #enter(name: string, limits: DownloadLimits): Promise<DownloadPlace | HoldfastError> {
    const account = this.#accounts.get(name) ?? { underWay: 0, waiting: 0, unwrittenBytes: 0 };
    this.#accounts.set(name, account);
    account.underWay++;
    account.waiting++;
    try {
      const refusal = await this.#refusal(name, account, limits);
      if (refusal === undefined) return this.#place(name, account, limits);
      this.#leave(name, account, { isWaiting: true });
      return refusal;
    } catch (error) {
      this.#leave(name, account, { isWaiting: true });
      throw error;
    }
  }

  async #refusal(name: string, account: Account, limits: DownloadLimits): Promise<HoldfastError | undefined> {
    const { concurrent, downloadsPerHour, bytesPerDay } = limits;
    if (concurrent !== undefined && account.underWay > concurrent)
      return limitReached(`${concurrent} at once`, 5, 'Wait until another one of yours has ended.');
    const now = this.#clock.now();
    if (downloadsPerHour !== undefined) {
      const { downloads } = await this.#usage.get(name, hourOf(now));
      if (downloads + account.waiting > downloadsPerHour)
        return limitReached(`${downloadsPerHour} in an hour`, secondsTo(now, HOUR), 'Try again in the next hour.');
    }
    if (bytesPerDay === undefined) return undefined;
    const { bytes } = await this.#usage.get(name, dayOf(now));
    if (bytes + account.unwrittenBytes < bytesPerDay) return undefined;
    return limitReached(`${bytesPerDay} bytes in a day of UTC`, secondsTo(now, DAY), 'Try again tomorrow.');
  }

  #place(name: string, account: Account, limits: DownloadLimits): DownloadPlace {
    const isCounted = limits.downloadsPerHour !== undefined || limits.bytesPerDay !== undefined;
    let written: Promise<void> = Promise.resolve();
    let bytes = 0;
    let hasBegun = false;
    let hasLeft = false;
    const write = (period: string, used: { downloads: number; bytes: number }, then: () => void): void => {
      written = written
        .then(() => this.#usage.add(name, period, used))
        .catch((err: unknown) => this.#logger.error({ err, account: name }, 'a download could not be counted'))
        .finally(then);
    };
    const writeBytes = (): void => {
      const used = bytes;
      bytes = 0;
      write(dayOf(this.#clock.now()), { downloads: 0, bytes: used }, () => {
        account.unwrittenBytes -= used;
      });
    };
    return {
      begin: () => {
        if (hasBegun) return;
        hasBegun = true;
        if (!isCounted) account.waiting--;
        else write(hourOf(this.#clock.now()), { downloads: 1, bytes: 0 }, () => account.waiting--);
      },
      count: (sent) => {
        if (!isCounted) return;
        bytes += sent;
        account.unwrittenBytes += sent;
        if (bytes >= WRITTEN_EVERY) writeBytes();
      },
      leave: async () => {
        if (hasLeft) return;
        hasLeft = true;
        if (bytes > 0) writeBytes();
        await written;
        this.#underWay--;
        this.#leave(name, account, { isWaiting: !hasBegun });
      },
    };
  }

  #leave(name: string, account: Account, { isWaiting }: { isWaiting: boolean }): void {
    account.underWay--;
    if (isWaiting) account.waiting--;
    if (account.underWay === 0) this.#accounts.delete(name);
  }
}

interface Account {
  underWay: number;
  /** Of those under way, the ones that the hour in the catalogue does not count yet. */
  waiting: number;
  /** Bytes that the day in the catalogue does not count yet. */
  unwrittenBytes: number;
}

/** `2026-11-21T14` */
function hourOf(now: Date): string {
  return now.toISOString().slice(0, 13);
}

/** `2026-11-21` */
function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}

/** To the end of the hour or day (milliseconds) that `now` lies in. */
function secondsTo(now: Date, period: number): number {
  return Math.max(1, Math.ceil((period - (now.getTime() % period)) / 1000));
}

function sooner(first: HoldfastError | undefined, second: HoldfastError): HoldfastError {
  if (first === undefined) return second;
  return Number(first.details.retryAfterSeconds) <= Number(second.details.retryAfterSeconds) ? first : second;
}

function limitReached(limit: string, retryAfterSeconds: number, next: string): HoldfastError {
  const message = `You have reached your limit of downloads: ${limit}. ${next}`;
  return new HoldfastError('too-many', 'download-limit-reached', message, { details: { limit, retryAfterSeconds } });
}

function busy(maxConcurrent: number): HoldfastError {
  const message = `All ${maxConcurrent} places for downloads are taken. Try again in a moment, or raise downloads.maxConcurrent.`;
  const details = { limit: maxConcurrent, retryAfterSeconds: 5 };
  return new HoldfastError('too-many', 'downloads-busy', message, { details });
}
