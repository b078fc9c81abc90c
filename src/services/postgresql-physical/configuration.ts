import path from 'node:path';
import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';
import { connectionSchema } from '../postgresql/connection-schema.ts';
import { walSchema } from './wal-schema.ts';

const options = z.strictObject({
  connection: connectionSchema,
  /** Whether the server writes a checkpoint at once, or spreads it as it does by itself, for minutes. */
  checkpoint: z.enum(['fast', 'spread']).default('fast'),
  /** What to do where a page's checksum is wrong: give up, tell it, or not look. */
  checksums: z.enum(['fail', 'warn', 'off']).default('fail'),
  /** KiB per second that the server sends at most. */
  maxRate: z.int().min(32).max(1_048_576).optional(),
  /** How the server calls the backup, in `backup_label` and in its log. */
  label: z.string().min(1).max(200).default('holdfast'),
  /** Keeps the server from removing WAL that the backup needs, by a slot that ends with it. */
  temporarySlot: z.boolean().default(true),
  /** Go on where another cluster is found than the one that earlier backups are of. */
  acceptNewSystem: z.boolean().default(false),
  /** How the files of base backups get here: the server sends them, or they are read in `dataFolder`, on the server's own machine. */
  transfer: z.enum(['replication', 'folder']).default('replication'),
  /** Of the server, where it runs on this machine: restores into this resource go there. */
  dataFolder: z
    .string()
    .refine((value) => path.isAbsolute(value) && path.resolve(value) !== '/', 'must be an absolute path of a folder')
    .optional(),
  /** Absent: no WAL is kept, and a backup restores to its own end only. */
  wal: walSchema.optional(),
});

const schema = options
  .refine(({ transfer, dataFolder }) => transfer !== 'folder' || dataFolder !== undefined, {
    path: ['dataFolder'],
    message: 'is needed with `transfer: folder`: where the server keeps its files (SHOW data_directory)',
  })
  .refine(({ transfer, maxRate }) => transfer !== 'folder' || maxRate === undefined, {
    path: ['maxRate'],
    message: 'is for what the server sends, not for `transfer: folder`',
  });

export type PhysicalConfiguration = z.infer<typeof schema>;

/** @throws HoldfastError `configuration-invalid` naming the field */
export function parsePhysicalConfiguration(configuration: unknown): PhysicalConfiguration {
  return parseConfiguration(schema, configuration, {
    kind: 'postgresql-physical',
    advice: 'It needs `connection`; docs/postgresql-physical.md lists the rest.',
  });
}
