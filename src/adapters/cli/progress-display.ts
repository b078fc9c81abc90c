import { SingleBar } from 'cli-progress';
import type { Progress } from '../../core/operation.ts';
import { printable } from '../../reports/table.ts';
import type { OutputOptions } from './command-output.ts';
import { count, formatBytes, formatDuration } from './formatting.ts';

/** Shows how far some work is: a bar on a terminal, a line every few seconds elsewhere, NDJSON with `--json`. */
export interface ProgressDisplay {
  report(progress: Progress): void;
  /** Takes the bar away. */
  end(): void;
}

const LINE_EVERY_MILLISECONDS = 5000;
const JSON_EVERY_MILLISECONDS = 1000;

const BAR_COLUMNS = 16;

/** @param task what is being done, for example `backup` */
export function startProgress(task: string, options: OutputOptions): ProgressDisplay {
  if (options.json) return new ProgressLines(JSON_EVERY_MILLISECONDS, (progress) => jsonLine(task, progress));
  if (options.quiet) return { report: () => undefined, end: () => undefined };
  const begun = performance.now();
  const text = (progress: Progress) => describe(progress, performance.now() - begun);
  if (process.stderr.isTTY) return new ProgressBar(task, text);
  return new ProgressLines(LINE_EVERY_MILLISECONDS, (progress) => `${task}: ${share(progress)}${text(progress)}`);
}

/** Where nobody knows how much there is, as in a backup of files, zero per cent all the time would look like standing still. */
function hasShare({ percent, totalBytes }: Progress): boolean {
  return percent > 0 || totalBytes !== undefined;
}

function share(progress: Progress): string {
  return hasShare(progress) ? `${progress.percent} %, ` : '';
}

/** `41.0 MiB of 120.0 MiB, 1,204 files, 88.1 MiB/s, 1 s left` */
export function describe(progress: Progress, elapsedMilliseconds: number): string {
  const parts: string[] = [];
  const { doneBytes, totalBytes, doneFiles } = progress;
  if (doneBytes !== undefined) {
    parts.push(totalBytes ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : formatBytes(doneBytes));
  }
  if (doneFiles !== undefined) parts.push(count(doneFiles, 'file'));
  if (doneBytes && elapsedMilliseconds > 0) {
    const bytesPerMillisecond = doneBytes / elapsedMilliseconds;
    parts.push(`${formatBytes(Math.round(bytesPerMillisecond * 1000))}/s`);
    if (totalBytes && totalBytes > doneBytes) {
      parts.push(`${formatDuration((totalBytes - doneBytes) / bytesPerMillisecond)} left`);
    }
  }
  if (parts.length === 0 && progress.phase !== undefined) parts.push(progress.phase);
  return parts.join(', ') || 'at work';
}

class ProgressLines implements ProgressDisplay {
  readonly #everyMilliseconds: number;
  readonly #line: (progress: Progress) => string;
  #writtenAt = performance.now();

  constructor(everyMilliseconds: number, line: (progress: Progress) => string) {
    this.#everyMilliseconds = everyMilliseconds;
    this.#line = line;
  }

  report(progress: Progress): void {
    if (performance.now() - this.#writtenAt < this.#everyMilliseconds) return;
    this.#writtenAt = performance.now();
    process.stderr.write(`${this.#line(progress)}\n`);
  }

  end(): void {
    this.#writtenAt = Number.POSITIVE_INFINITY;
  }
}

class ProgressBar implements ProgressDisplay {
  readonly #bar: SingleBar;
  readonly #task: string;
  readonly #text: (progress: Progress) => string;

  constructor(task: string, text: (progress: Progress) => string) {
    this.#task = task;
    this.#text = text;
    this.#bar = new SingleBar({
      format: (_options, _parameters, { line }) => line,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      // Its own handlers would end the process in the midst of a backup.
      gracefulExit: false,
    });
    this.#bar.start(100, 0, { line: task });
  }

  report(progress: Progress): void {
    const said = [this.#task, bar(progress), this.#text(progress), progress.current];
    const line = said.filter((part) => part !== undefined).join('  ');
    this.#bar.update(progress.percent, { line: printable(line).slice(0, (process.stderr.columns || 80) - 1) });
  }

  end(): void {
    this.#bar.stop();
  }
}

/** `[####------------] 25 %` */
export function bar(progress: Progress): string | undefined {
  if (!hasShare(progress)) return undefined;
  const done = Math.floor((Math.min(progress.percent, 100) / 100) * BAR_COLUMNS);
  return `[${'#'.repeat(done).padEnd(BAR_COLUMNS, '-')}] ${progress.percent} %`;
}

function jsonLine(task: string, progress: Progress): string {
  return JSON.stringify({ event: 'progress', task, ...progress });
}
