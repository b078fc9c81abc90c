import path from 'node:path';
import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';

const absolutePath = z.string().refine((value) => path.isAbsolute(value), 'must be an absolute path');

const log = z
  .strictObject({
    /** Whether changes are followed, so that the database restores to any second. */
    enabled: z.boolean().default(false),
    /** Seconds from one look for changes to the next. */
    intervalSeconds: z.number().min(0.2).max(3600).default(1),
    /** For so long each state that was seen can be restored; afterwards one a minute is kept. */
    keepSeconds: z.number().int().min(60).max(31_536_000).default(3600),
    /** For so long one state a minute can be restored; afterwards one an hour is kept. */
    keepMinutes: z.number().int().min(1).max(5_256_000).default(1440),
  })
  .prefault({});

const schema = z.strictObject({
  /** Absolute path of the database file. */
  path: absolutePath,
  /** What the copy is put through before it is stored: SQLite's `quick_check`, its `integrity_check`, or neither. */
  checks: z.enum(['none', 'quick', 'full']).default('quick'),
  /** How long to wait for a database that somebody has locked. */
  busyTimeoutMilliseconds: z.number().int().min(0).max(3_600_000).default(10_000),
  /** Pages copied between two reports of progress, at which a backup can be cancelled too. */
  pagesPerStep: z.number().int().min(1).max(1_000_000).default(2048),
  /** Folder for the private copy, which needs as much room as the database; default: the system's. */
  temporaryFolder: absolutePath.optional(),
  log,
});

export type SqliteConfiguration = z.infer<typeof schema>;

/** @throws HoldfastError `configuration-invalid` naming the field */
export function parseSqliteConfiguration(configuration: unknown): SqliteConfiguration {
  return parseConfiguration(schema, configuration, {
    kind: 'sqlite',
    advice:
      'It needs `path`, and may have `checks`, `busyTimeoutMilliseconds`, `pagesPerStep`, `temporaryFolder` and `log`.',
  });
}
