import { createCanaryMemory } from '../src/downloads/canary/canary-filter.ts';
import { WatchingProbe } from '../src/downloads/canary/watching-probe.ts';
import { createMysqlInsertRows } from '../src/downloads/content/mysql/insert-rows.ts';
import { createCopyRows } from '../src/downloads/content/postgresql/copy-rows.ts';
import { RowMasker } from '../src/downloads/masking/row-masker.ts';
import { seededColumns } from '../src/downloads/masking/seeded-columns.ts';
import { TableMasker } from '../src/downloads/masking/table-masker.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import type { ColumnPlan, TablePlan } from '../src/downloads/variant-plan.ts';
import { CUSTOMER_COLUMNS, customerDump, type StreamDialect } from './data/customer-rows.ts';
import { markdownTable } from './markdown-table.ts';

export interface MaskedBlocksCost {
  name: string;
  /** Bytes of rows for each second of the thread that masks them: of the fastest and of the middle pass. */
  best: number;
  median: number;
}

type Rules = Readonly<Record<string, string | readonly [name: string, options: Record<string, unknown>]>>;

const ONE: Rules = { email: 'email' };
const FOUR: Rules = { ...ONE, name: 'name', street: 'street', company: 'company' };
const TEN: Rules = {
  ...{ ...FOUR, username: 'username', website: 'url', born: ['date', { truncate: 'year' }] },
  ...{ token: 'token', city: 'city', note: 'lorem' },
};
const CASES: readonly (readonly [dialect: StreamDialect, rules: Rules])[] = [
  ['postgresql', {}],
  ['postgresql', ONE],
  ['postgresql', FOUR],
  ['postgresql', TEN],
  ['postgresql', { phone: 'phone' }],
  ['mysql', ONE],
];

const BYTES = 24_000_000;
/** As whoever cuts rows into blocks does. */
const BLOCK: Readonly<Record<StreamDialect, number>> = { postgresql: 120 << 10, mysql: 512 << 10 };
/** Of so many blocks the canary looks at one. */
const WATCHED_OF = 32;
const HEADER = 'INSERT INTO `customers` VALUES ';

/**
 * What one worker thread does to blocks of rows, without the pool: rows of customers with 20 columns and 300 bytes, whose personal columns differ from row to row; with
 * the canary.
 */
export function measureMaskedBlocks(quick: boolean): MaskedBlocksCost[] {
  return CASES.map(([dialect, rules]) => {
    const blocks = blocksOf(dialect);
    const mask = maskerOf(dialect, rules);
    const pass = () => {
      for (const [index, block] of blocks.entries()) mask(block, index % WATCHED_OF === 0);
    };
    pass();
    pass();
    const bytes = blocks.reduce((sum, block) => sum + block.length, 0);
    const seconds = Array.from({ length: quick ? 3 : 9 }, () => {
      const before = process.cpuUsage();
      pass();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    }).sort((one, other) => one - other);
    const name = `${dialect}, ${Object.keys(rules).length} masked${'phone' in rules ? ' (phone)' : ''}`;
    return { name, best: bytes / (seconds[0] ?? 0), median: bytes / (seconds[seconds.length >> 1] ?? 0) };
  });
}

export function maskedBlocksReport(costs: readonly MaskedBlocksCost[]): string {
  const rows = costs.map(({ name, best, median }) => [name, mega(best), mega(median)]);
  return `### Masking in one thread, MB for each CPU second\n\n${markdownTable(['rows', 'best', 'median'], rows)}`;
}

function maskerOf(dialect: StreamDialect, rules: Rules): (block: Buffer, isWatched: boolean) => void {
  const columns = [...CUSTOMER_COLUMNS];
  const plan: TablePlan = {
    table: 'customers',
    fate: 'rows',
    columns: columns.map((name) => planOf(name, rules[name])),
  };
  const key = new Uint8Array(32).fill(7);
  const probe = new WatchingProbe(createCanaryMemory(undefined), 'high', { plan, columns });
  const formatOf = (watches: boolean) => {
    const table = new TableMasker({
      ...{ columns, probe, watches, selection: undefined, values: new RowMasker(plan, columns, key, probe) },
      split: (excluded, allowsQuotes) => {
        const seeded = seededColumns(plan, columns, key, excluded, allowsQuotes);
        const leftOut = new Set(seeded.map(({ index }) => index));
        return { seeded, others: new RowMasker(plan, columns, key, probe, leftOut) };
      },
    });
    const literals = columns.map((column) => ({ isBinary: false, isGenerated: false, isNumber: NUMBERS.has(column) }));
    const options = { header: HEADER, charset: 'utf8', columns: literals };
    const make = dialect === 'mysql' ? createMysqlInsertRows : createCopyRows;
    return make({ table: 'customers', columns, format: '', options }, table);
  };
  const [plain, watching] = [formatOf(false), formatOf(true)];
  return (block, isWatched) => {
    probe.watches = isWatched;
    (isWatched ? watching : plain).mask(block, 0);
    if (isWatched) probe.take();
  };
}

const NUMBERS = new Set(['id', 'balance', 'visits', 'is_active']);

function planOf(column: string, rule: Rules[string] = 'keep'): ColumnPlan {
  const [transformer, options] = typeof rule === 'string' ? [rule, {}] : rule;
  const parsed = TRANSFORMERS.get(transformer)?.options.parse(options) ?? {};
  const family = column === 'born' ? 'date' : NUMBERS.has(column) ? 'numeric' : 'text';
  return {
    column,
    family,
    isNullable: true,
    rule: { transformer, options: parsed, domain: transformer, normalise: [] },
  };
}

/** Of whole rows, each in memory of its own. */
function blocksOf(dialect: StreamDialect): Buffer[] {
  const dump = Buffer.concat(Array.from(customerDump(dialect, BYTES), (chunk) => Buffer.from(chunk)));
  const [begin, end, rowEnd] =
    dialect === 'mysql'
      ? [dump.indexOf(HEADER), dump.indexOf('UNLOCK TABLES'), ';\n']
      : [dump.indexOf('FROM stdin;\n') + 'FROM stdin;\n'.length, dump.lastIndexOf('\\.\n'), '\n'];
  const blocks: Buffer[] = [];
  for (let from = begin; from < end; ) {
    const last = dump.indexOf(rowEnd, Math.min(from + BLOCK[dialect], end - rowEnd.length)) + rowEnd.length;
    blocks.push(Buffer.from(Uint8Array.from(dump.subarray(from, last)).buffer));
    from = last;
  }
  return blocks;
}

function mega(value: number): string {
  return (value / 1e6).toFixed(0);
}
