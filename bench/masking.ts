import { RowMasker } from '../src/downloads/masking/row-masker.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import type { ColumnPlan } from '../src/downloads/variant-plan.ts';
import { markdownTable } from './markdown-table.ts';
import { maskedBlocksReport, measureMaskedBlocks } from './masked-blocks.ts';

export interface TransformerCost {
  name: string;
  nanoseconds: number;
}

interface Sample {
  name: string;
  options?: Record<string, unknown>;
  family?: ColumnPlan['family'];
  allowedValues?: readonly string[];
  value: (index: number) => string;
}

const BATCH = 5_000;
const person = (index: number) => `person${index}@mail.example`;

/** Each value comes once, so that nothing is found in a cache. */
const SAMPLES: readonly Sample[] = [
  { name: 'const', options: { value: 'x' }, value: person },
  ...'hash token uuid email username url name company street country user_agent lorem'
    .split(' ')
    .map((name) => ({ name, value: person })),
  { name: 'phone', value: (index) => `+49 30 ${10_000_000 + index}` },
  { name: 'digits', value: (index) => String(1_000_000_000 + index) },
  { name: 'alnum', value: (index) => `AB-${100_000 + index}-x` },
  { name: 'zip', value: (index) => String(10_000 + (index % 90_000)) },
  { name: 'card', value: (index) => String(4_000_000_000_000_000 + index) },
  { name: 'iban', value: (index) => `DE89370400440${String(index).padStart(9, '0')}` },
  { name: 'ip', family: 'inet', value: (index) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}` },
  { name: 'mac', family: 'mac', value: (index) => `08:00:2b:${hex(index >> 16)}:${hex(index >> 8)}:${hex(index)}` },
  { name: 'int', options: { mode: 'permute' }, family: 'integer', value: (index) => String(100_000 + index) },
  { name: 'int', options: { noise: 10 }, family: 'integer', value: (index) => String(100_000 + index) },
  { name: 'numeric', options: { noise: 10 }, family: 'numeric', value: (index) => `${index}.25` },
  { name: 'date', options: { truncate: 'year' }, family: 'date', value: day },
  { name: 'date', options: { noise: { days: 30 } }, family: 'date', value: day },
  { name: 'choice', options: { values: ['a', 'b', 'c'] }, value: person },
  { name: 'enum', family: 'enum', allowedValues: ['sad', 'happy'], value: () => 'happy' },
  { name: 'geo', family: 'numeric', value: (index) => `48.${100_000 + index}` },
  { name: 'redact', value: person },
  { name: 'bytes', family: 'bytes', value: (index) => `\\x${hex(index).repeat(32)}` },
  { name: 'template', options: { text: '{$token}@example.test' }, value: person },
];

/** What a value of one column costs within a row, each transformer for itself: processor time of one core. */
export function measureTransformers(quick: boolean): TransformerCost[] {
  const values = quick ? 10_000 : 100_000;
  return SAMPLES.map((sample) => ({ name: nameOf(sample), nanoseconds: costOf(sample, values) }));
}

export function transformersReport(costs: readonly TransformerCost[]): string {
  const rows = costs.map(({ name, nanoseconds }) => [name, nanoseconds.toFixed(0)]);
  return `### Masking, for each value\n\n${markdownTable(['transformer', 'ns'], rows)}`;
}

function costOf({ name, options = {}, family = 'text', allowedValues, value }: Sample, values: number): number {
  const transformer = TRANSFORMERS.get(name);
  if (transformer === undefined) throw new Error(`There is no transformer ${name}.`);
  const rule = { transformer: name, options: transformer.options.parse(options), domain: name, normalise: [] };
  const plan: ColumnPlan = {
    column: 'c',
    rule,
    family,
    isNullable: false,
    ...(allowedValues ? { allowedValues } : {}),
  };
  const masker = new RowMasker({ table: 't', fate: 'rows', columns: [plan] }, ['c'], new Uint8Array(32));
  const row: (string | null)[] = [];
  let spent = 0;
  for (let from = -BATCH; from < values; from += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) => value(Math.abs(from) + index));
    const start = process.cpuUsage();
    for (const text of batch) {
      row[0] = text;
      masker.mask(row);
    }
    const { user, system } = process.cpuUsage(start);
    // The first batch only warms up.
    if (from >= 0) spent += user + system;
  }
  return (spent * 1000) / values;
}

function nameOf({ name, options }: Sample): string {
  const [option] = Object.keys(options ?? {});
  return name === 'int' || name === 'date' || name === 'numeric'
    ? `${name} ${option === 'mode' ? 'permute' : option}`
    : name;
}

function day(index: number): string {
  return new Date(index * 86_400_000).toISOString().slice(0, 10);
}

function hex(byte: number): string {
  return (byte & 255).toString(16).padStart(2, '0');
}

if (import.meta.main) {
  const quick = process.argv.includes('--quick');
  const blocks = maskedBlocksReport(measureMaskedBlocks(quick));
  process.stdout.write(`${blocks}\n\n${transformersReport(measureTransformers(quick))}\n`);
}
