import type { MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import { freeMemory } from '../../core/freed-memory.ts';
import type { TablePlan } from '../variant-plan.ts';
import type { CanaryProbe } from './canary-probe.ts';
import { RowFault } from './row-fault.ts';
import type { RowFormat, RowSource } from './row-format.ts';
import { ROW_FORMATS } from './row-formats.ts';
import { type SplitMasker, TableMasker, type ValueMasker } from './table-masker.ts';
import type { BlockAnswer, BlockFault, BlockMessage, MaskedRows, ThreadStart } from './thread-messages.ts';

/** What a thread makes for each table. */
export interface MaskerMakers {
  values(plan: TablePlan, columns: readonly string[], key: Uint8Array, probe?: CanaryProbe): ValueMasker;
  /** Where whole columns can be masked: those, and a masker of the others. */
  split?(
    plan: TablePlan,
    columns: readonly string[],
    key: Uint8Array,
    excluded: ReadonlySet<number>,
    allowsQuotes: boolean,
    probe?: CanaryProbe,
  ): SplitMasker;
  /** Where something looks for originals: what is told of them. */
  canary?(plan: TablePlan, columns: readonly string[], start: ThreadStart): CanaryProbe | undefined;
}

/** Masks the blocks that come through a port until it is closed. */
export function serveBlocks(port: MessagePort, start: ThreadStart, makers: MaskerMakers): void {
  const tables = new Map<number, ServedRows>();
  const plans = new Map(start.tables.map((plan) => [plan.table, plan]));
  port.on('message', (message: BlockMessage) => {
    const answer = answerTo(message, () => {
      const { source, introduces } = message;
      const known = tables.get(source);
      if (known !== undefined) return known;
      const made = new ServedRows(introduces, plans, start, makers);
      tables.set(source, made);
      return made;
    });
    port.postMessage(answer, 'fault' in answer ? [] : [answer.bytes.buffer]);
    // Blocks would wait for major collections, which they alone would make needed.
    freeMemory(new Uint8Array(message.bytes.buffer));
  });
}

function answerTo({ bytes, firstOrdinal, isWatched }: BlockMessage, rows: () => ServedRows): BlockAnswer {
  try {
    return rows().mask(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), firstOrdinal, isWatched);
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

/** The rows of one table. To look at all of their values takes longer, so it is done in some blocks, by a format of its own. */
class ServedRows {
  readonly #source: RowSource;
  readonly #probe: CanaryProbe | undefined;
  readonly #formatOf: (watches: boolean) => RowFormat;
  #plain: RowFormat | undefined;
  #watching: RowFormat | undefined;

  constructor(
    source: RowSource | undefined,
    plans: ReadonlyMap<string, TablePlan>,
    start: ThreadStart,
    { values, split, canary }: MaskerMakers,
  ) {
    const plan = plans.get(source?.table ?? '');
    const make = ROW_FORMATS.get(source?.format ?? '');
    if (source === undefined || plan === undefined || make === undefined)
      throw new Error('a block of rows that nothing is known of');
    const { columns, table } = source;
    const { key, selection } = start;
    const probe = canary?.(plan, columns, start);
    this.#source = source;
    this.#probe = probe;
    this.#formatOf = (watches) =>
      make(
        source,
        new TableMasker({
          columns,
          values: values(plan, columns, key, probe),
          ...(split && {
            split: (excluded: ReadonlySet<number>, allowsQuotes: boolean) =>
              split(plan, columns, key, excluded, allowsQuotes, probe),
          }),
          selection: Object.hasOwn(selection?.tables ?? {}, table) ? selection?.tables[table] : undefined,
          ...(probe === undefined ? {} : { probe, watches }),
        }),
      );
  }

  mask(block: Buffer, firstOrdinal: number, isWatched: boolean): MaskedRows {
    const probe = this.#probe;
    if (probe === undefined || !(isWatched || this.#source.isOneText)) {
      if (probe !== undefined) probe.watches = false;
      this.#plain ??= this.#formatOf(false);
      return this.#plain.mask(block, firstOrdinal);
    }
    probe.watches = true;
    this.#watching ??= this.#formatOf(true);
    const masked = this.#watching.mask(block, firstOrdinal);
    return { ...masked, watched: probe.take() };
  }
}

/** Of errors that are not Holdfast's own nothing is told but that there was one: they may quote a value. */
function faultOf(error: unknown): BlockFault {
  const isOfRow = error instanceof RowFault;
  const cause = isOfRow ? error.cause : error;
  const row = isOfRow ? error.row : undefined;
  if (isOfRow && error.what !== undefined) return { row, what: error.what };
  if (!(cause instanceof HoldfastError)) return { row };
  const { kind, code, message, details } = cause;
  return { row, error: { kind, code, message, details } };
}
