import type { HookMoment } from './ports/hook-runner.ts';

/** A command of the configuration file that runs before or after backups or restores. */
export interface HookConfiguration {
  when: HookMoment;
  /** Ids, or beginnings of ids followed by `*`. */
  resources: readonly string[];
  /** The program (an absolute path, or a name on PATH) and its arguments. */
  command: readonly [string, ...string[]];
  timeoutSeconds: number;
  /** Plain values and references to secrets (`env:NAME`, `file:/path`). */
  environment: Readonly<Record<string, string>>;
  /** For hooks before something: whether their failure stops it. */
  onFailure: 'fail' | 'warn';
}
