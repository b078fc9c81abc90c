import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Resource } from '../../core/resource.ts';

/** How a cluster's WAL is kept; stands under `wal` in the resource's configuration. Without it, no WAL is kept. */
export const walSchema = z.strictObject({
  /** `stream`: Holdfast follows the server. `push`: the server's archive_command brings it. `off`: only base backups. */
  mode: z.enum(['off', 'stream', 'push']).default('stream'),
  /** Name of the replication slot; default: `holdfast_` and the resource's id. */
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'must have 1 to 63 small letters, digits and underscores')
    .optional(),
  /** Make the slot where it is missing, and anew where the server has given it up. */
  createSlot: z.boolean().default(true),
  /** How long received WAL may wait before it is stored; 0: not at all, for `synchronous_standby_names`. */
  flushSeconds: z.number().min(0).max(3600).default(10),
  /** The name in `pg_stat_replication` and for `synchronous_standby_names`. */
  applicationName: z.string().min(1).max(63).default('holdfast'),
  /** Warn when more than this is written and not stored yet. */
  maxLagBytes: z
    .int()
    .min(1)
    .default(1024 ** 3),
  /** The connection counts as lost when the server was silent for this long. */
  timeoutSeconds: z.int().min(10).max(3600).default(60),
});

export type WalConfiguration = z.infer<typeof walSchema>;

/** Slots are called by small letters, digits and underscores only; ids that differ in other signs must not share one. */
export function slotName(configuration: Pick<WalConfiguration, 'slot'>, resourceId: string): string {
  if (configuration.slot !== undefined) return configuration.slot;
  const safe = resourceId.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
  const isSame = safe === resourceId && safe.length <= 54;
  return `holdfast_${isSame ? safe : `${safe.slice(0, 45)}_${createHash('sha256').update(resourceId).digest('hex').slice(0, 8)}`}`;
}

/** Of a resource's configuration. */
export function walOf(configuration: Readonly<Record<string, unknown>>): WalConfiguration {
  return walSchema.parse(configuration.wal ?? {});
}

/** The replication slot of a resource. */
export function slotOf({ configuration, id }: Resource): string {
  return slotName(walOf(configuration), id);
}
