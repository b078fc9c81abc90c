import type { MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { TablePlan } from '../variant-plan.ts';
import type { CanaryProbe } from './canary-probe.ts';
import { RowFault } from './row-fault.ts';
import type { RowFormat, RowSource } from './row-format.ts';
import { ROW_FORMATS } from './row-formats.ts';
import { TableMasker, type ValueMasker } from './table-masker.ts';
import type { BlockAnswer, BlockFault, BlockMessage, ThreadStart } from './thread-messages.ts';

/** What a thread makes for each table. */
export interface MaskerMakers {
  values(plan: TablePlan, columns: readonly string[], key: Uint8Array, probe?: CanaryProbe): ValueMasker;
  /** Where something looks for originals: what it is told, and of which columns. */
  canary?: { probe: CanaryProbe; traceable(plan: TablePlan, columns: readonly string[]): readonly number[] };
}

/** Masks the blocks that come through a port until it is closed. */
export function serveBlocks(port: MessagePort, start: ThreadStart, makers: MaskerMakers): void {
  const formats = new Map<number, RowFormat>();
  const plans = new Map(start.tables.map((plan) => [plan.table, plan]));
  port.on('message', (message: BlockMessage) => {
    const answer = answerTo(message, () => {
      const { source, introduces } = message;
      const known = formats.get(source);
      if (known !== undefined) return known;
      const made = formatOf(introduces, plans, start, makers);
      formats.set(source, made);
      return made;
    });
    port.postMessage(answer, 'fault' in answer ? [] : [answer.bytes.buffer]);
  });
}

function answerTo({ bytes, firstOrdinal }: BlockMessage, format: () => RowFormat): BlockAnswer {
  try {
    return format().mask(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), firstOrdinal);
  } catch (error) {
    return { fault: faultOf(error) };
  }
}

function formatOf(
  source: RowSource | undefined,
  plans: ReadonlyMap<string, TablePlan>,
  { key, selection }: ThreadStart,
  { values, canary }: MaskerMakers,
): RowFormat {
  const plan = plans.get(source?.table ?? '');
  const make = ROW_FORMATS.get(source?.format ?? '');
  if (source === undefined || plan === undefined || make === undefined)
    throw new Error('a block of rows that nothing is known of');
  const { columns } = source;
  const table = new TableMasker({
    columns,
    values: values(plan, columns, key, canary?.probe),
    selection: Object.hasOwn(selection?.tables ?? {}, source.table) ? selection?.tables[source.table] : undefined,
    ...(canary === undefined ? {} : { probe: canary.probe, traceable: canary.traceable(plan, columns) }),
  });
  return make(source, table);
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
