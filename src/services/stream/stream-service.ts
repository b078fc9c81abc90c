import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BackupType } from '../../core/backup.ts';
import { DamageList } from '../../core/damage-list.ts';
import type { Assertion } from '../../core/drill.ts';
import { earlierContent } from '../../core/earlier-content.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ContentDamage } from '../../core/ports/repository.ts';
import type {
  BackupContext,
  ChainLink,
  RestoreContext,
  Service,
  ServiceBackup,
  ServiceRestore,
} from '../../core/ports/service.ts';
import type { DrillContext, DrillOutcome } from '../../core/ports/service-drill.ts';
import { plannedNames, servicePlan } from '../../core/restore-plan.ts';
import { downloadStream, STREAM_FORMATS } from './stream-download.ts';
import { drillStream, parseStreamAssertions } from './stream-drill.ts';

/**
 * Backs up any bytes that are posted, such as `pg_dump shop | curl -T - …`, and gives them back. Memory stays constant
 * whatever the size; every backup is a full one, and what earlier ones hold already is not stored again.
 */
export function createStreamService(): Service {
  return new StreamService();
}

const NOTHING = z.strictObject({});
const RESTORE_OPTIONS = z.strictObject({
  /** Give zeros for bytes that are lost, and list them, instead of refusing. */
  allowDamaged: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

class StreamService implements Service {
  readonly name = 'stream';
  readonly description = 'Any bytes that are posted, stored and given back as one stream.';
  readonly contentKind = 'stream';
  readonly backupTypes: readonly BackupType[] = ['full'];
  readonly source = 'posted';
  readonly mediaType = 'application/octet-stream';
  readonly downloads = { formats: STREAM_FORMATS };
  readonly download = downloadStream;

  parseConfiguration(configuration: unknown): Readonly<Record<string, unknown>> {
    return parseNothing(configuration, 'configuration-invalid', 'A stream resource has no configuration');
  }

  /** Whatever the input throws ends the backup: half a stream is never stored as a whole one. */
  async backup(context: BackupContext): Promise<ServiceBackup> {
    const { input, writer, signal } = context;
    if (input === undefined) {
      throw new HoldfastError(
        'invalid',
        'stream-missing',
        'A backup of a stream needs its bytes. Send them as the body.',
      );
    }
    const { length, sha256, root } = await writer.writeStream(untilCancelled(input, signal), {
      onBytes: (doneBytes) => context.report({ percent: 0, phase: 'storing', doneBytes }),
      expected: earlierContent(context, async ({ record: { root } }) =>
        root.kind === 'stream' ? root.content : undefined,
      ),
    });
    return {
      type: 'full',
      root,
      size: length,
      checksum: `sha256:${sha256}`,
      isDelta: false,
      readBytes: length,
      sourceBytes: length,
      serviceData: {},
    };
  }

  /** Reads everything and checks it; the bytes themselves are fetched with `read`. */
  async restore(context: RestoreContext): Promise<ServiceRestore> {
    const { backup, chain, options, signal } = context;
    const { allowDamaged, dryRun } = parseRestoreOptions(options);
    if (dryRun) {
      // A restore of a stream checks it; its bytes are fetched, and nothing is touched anywhere.
      const created = plannedNames([`the bytes of ${backup.resourceId}, from GET /backups/${backup.id}/content`]);
      return { plan: servicePlan({ created, bytes: backup.size }), report: { dryRun: true } };
    }
    const damages = new DamageList();
    const hash = createHash('sha256');
    let doneBytes = 0;
    for await (const bytes of this.read(
      chain,
      signal,
      allowDamaged ? { onDamage: (damage) => damages.add(damage) } : {},
    )) {
      hash.update(bytes);
      doneBytes += bytes.byteLength;
      const percent = backup.size === 0 ? 100 : Math.floor((100 * doneBytes) / backup.size);
      context.report({ percent, phase: 'verifying', doneBytes, totalBytes: backup.size });
    }
    if (damages.count > 0) context.warn(damages.warning());
    return {
      checksum: `sha256:${hash.digest('hex')}`,
      report: { bytes: doneBytes, ...damages.report() },
      ...damages.result(),
    };
  }

  drill(context: DrillContext): Promise<DrillOutcome> {
    return drillStream(context, (chain, signal) => this.read(chain, signal));
  }

  parseAssertions(assertions: readonly unknown[]): readonly Assertion[] {
    return parseStreamAssertions(assertions);
  }

  /** @throws HoldfastError `checksum-differs` (damaged) instead of a normal end, unless damage was allowed and told of */
  async *read(
    chain: readonly ChainLink[],
    signal: AbortSignal,
    { onDamage }: { onDamage?: (damage: ContentDamage) => void } = {},
  ): AsyncIterable<Uint8Array> {
    const link = chain.at(-1);
    if (link === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
    const hash = createHash('sha256');
    let isDamaged = false;
    const tell = (damage: ContentDamage): void => {
      isDamaged = true;
      onDamage?.(damage);
    };
    const source = link.reader.read(undefined, undefined, onDamage === undefined ? {} : { onDamage: tell });
    for await (const bytes of untilCancelled(source, signal)) {
      hash.update(bytes);
      yield bytes;
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== link.backup.checksum && !isDamaged) throw checksumDiffers(link, found);
  }
}

function parseRestoreOptions(options: unknown): z.infer<typeof RESTORE_OPTIONS> {
  const result = RESTORE_OPTIONS.safeParse(options ?? {});
  if (result.success) return result.data;
  const message = `A stream is restored without options, but for \`allowDamaged\` and \`dryRun\`. ${z.prettifyError(result.error)}`;
  throw new HoldfastError('invalid', 'options-invalid', message);
}

async function* untilCancelled(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  for await (const bytes of source) {
    if (signal.aborted) throw new HoldfastError('cancelled', 'operation-cancelled', 'The operation was cancelled.');
    yield bytes;
  }
}

function checksumDiffers({ backup }: ChainLink, found: string): HoldfastError {
  const message = `The bytes of backup ${backup.id} differ from what was backed up (checksum ${found} instead of ${backup.checksum}). Do not use them; restore an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'checksum-differs', message, {
    details: { backupId: backup.id, expected: backup.checksum, found },
  });
}

function parseNothing(given: unknown, code: string, statement: string): Readonly<Record<string, unknown>> {
  const result = NOTHING.safeParse(given ?? {});
  if (result.success) return result.data;
  throw new HoldfastError('invalid', code, `${statement}. ${z.prettifyError(result.error)}`);
}
