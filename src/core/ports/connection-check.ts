import type { Resource } from '../resource.ts';

/** One thing that a backup needs, and whether it is there. */
export interface ConnectionCheck {
  /** What was looked at: a word or two, the same for all resources of a service. */
  name: string;
  /** `failed`: no backup would succeed as it is. `skipped`: not looked at, or not needed by this resource. */
  outcome: 'ok' | 'warning' | 'failed' | 'skipped';
  /** What was found. No secret. */
  message: string;
  /** How to get what is missing: the command, the GRANT, the setting. */
  advice?: string;
}

export interface ConnectionTestContext {
  /** Parsed by the service. */
  configuration: Readonly<Record<string, unknown>>;
  /** Whose configuration it is; of one that is not saved yet, only the service counts. */
  resource: Resource;
  /** Aborts when the time is over. What was found by then should be given back, the rest as `skipped`. */
  signal: AbortSignal;
}
