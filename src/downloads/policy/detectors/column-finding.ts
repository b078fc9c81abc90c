import type { ColumnSchema, TypeFamily } from '../../content/content-schema.ts';
import type { ColumnSample } from './column-sampler.ts';
import { detectName } from './detect-name.ts';
import { detectValue, detectWithin } from './detect-value.ts';
import { DATA_KINDS, type DataKind } from './detector.ts';

/** What a column seems to hold, and what says so. Never a value. */
export interface ColumnFinding {
  kind: DataKind;
  /** For a comment: `its name says email; 98 % of 1000 values look like one`. */
  evidence: string;
}

/** A share of values that says what the column is for. */
const MOST = 0.3;

/** What the column seems to hold, by its name and a sample of its values; undefined where neither says anything. */
export function findData(column: ColumnSchema, table: string, sample?: ColumnSample): ColumnFinding | undefined {
  if (column.isGenerated || SAYS_ALL.has(column.family)) return undefined;
  const byContent = READS_VALUES.has(column.family) && sample !== undefined ? findInValues(sample) : undefined;
  const named = detectName(column.name, table);
  const byName =
    named !== undefined &&
    (column.allowedValues === undefined || named === DATA_KINDS.special) &&
    fits(named, column.family)
      ? named
      : undefined;
  // Values are surer than names, but many words are no more than that, and what identifies nobody by itself (a UUID) does not make a token harmless.
  const isSure = byContent?.kind !== DATA_KINDS.freeText && byContent?.kind.impact !== 'low';
  if (byContent !== undefined && (isSure || byName === undefined || byName === DATA_KINDS.freeText)) return byContent;
  return byName === undefined ? undefined : { kind: byName, evidence: `its name says ${byName.name}` };
}

function findInValues({ values }: ColumnSample): ColumnFinding | undefined {
  const counts = new Map<DataKind, number>();
  let within: DataKind | undefined;
  let words = 0;
  for (const value of values) {
    const kind = detectValue(value);
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    else within ??= detectWithin(value);
    // Blanks fill up what has a fixed length.
    words += Math.min(value.split(' ').filter((word) => word !== '').length, 100);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most !== undefined && most[1] >= values.length * MOST) {
    const [kind, count] = most;
    return {
      kind,
      evidence: `${Math.round((100 * count) / values.length)} % of ${values.length} values look like: ${kind.name}`,
    };
  }
  const some = [...counts].find(([{ impact }]) => impact === 'high')?.[0] ?? within;
  if (some !== undefined)
    return { kind: DATA_KINDS.freeText, evidence: `some of ${values.length} values hold: ${some.name}` };
  if (values.length > 0 && words / values.length >= WORDS_OF_TEXT)
    return { kind: DATA_KINDS.freeText, evidence: `values have ${Math.round(words / values.length)} words on average` };
  return undefined;
}

const WORDS_OF_TEXT = 5;

const READS_VALUES: ReadonlySet<TypeFamily> = new Set([
  'text',
  'integer',
  'numeric',
  'date',
  'inet',
  'mac',
  'uuid',
  'other',
]);
/** A boolean identifies nobody. */
const SAYS_ALL: ReadonlySet<TypeFamily> = new Set(['boolean']);

/** `country_id integer` is no country, and `email_sent_at timestamp` no address. */
function fits(kind: DataKind, family: TypeFamily): boolean {
  if (family === 'text' || family === 'other' || family === 'array' || family === 'hstore') return true;
  if (family === 'date' || family === 'timestamp') return kind === DATA_KINDS.birth;
  if (family === 'integer' || family === 'numeric') return OF_NUMBERS.has(kind);
  if (family === 'inet') return kind === DATA_KINDS.ip;
  if (family === 'mac') return kind === DATA_KINDS.mac;
  if (family === 'geometry') return true;
  if (family === 'uuid') return kind === DATA_KINDS.secret;
  return family === 'enum' || family === 'bytes' ? kind === DATA_KINDS.special || kind === DATA_KINDS.secret : false;
}

const OF_NUMBERS: ReadonlySet<DataKind> = new Set([
  DATA_KINDS.phone,
  DATA_KINDS.card,
  DATA_KINDS.account,
  DATA_KINDS.nationalId,
  DATA_KINDS.income,
  DATA_KINDS.coordinates,
  DATA_KINDS.zip,
  DATA_KINDS.special,
]);
