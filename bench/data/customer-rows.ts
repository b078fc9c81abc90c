import { RandomNumbers } from './random-numbers.ts';
import { CITIES, FIRST_NAMES, LAST_NAMES, STATES, WORDS } from './word-lists.ts';

/** Columns of a table of customers, with their types in PostgreSQL and MySQL. */
const COLUMNS: readonly (readonly [name: string, postgresql: string, mysql: string])[] = [
  ['id', 'bigint NOT NULL', 'bigint NOT NULL'],
  ['email', 'text NOT NULL', 'varchar(200) NOT NULL'],
  ['name', 'text NOT NULL', 'varchar(200) NOT NULL'],
  ['street', 'text', 'varchar(200)'],
  ['company', 'text', 'varchar(200)'],
  ['username', 'text', 'varchar(200)'],
  ['website', 'text', 'varchar(200)'],
  ['born', 'date', 'date'],
  ['token', 'text', 'varchar(200)'],
  ['phone', 'text', 'varchar(200)'],
  ['note', 'text', 'varchar(500)'],
  ['city', 'text', 'varchar(200)'],
  ['country', 'text', 'varchar(200)'],
  ['zip', 'text', 'varchar(200)'],
  ['state', 'text', 'varchar(200)'],
  ['balance', 'numeric(12,2)', 'decimal(12,2)'],
  ['is_active', 'boolean', 'tinyint(1)'],
  ['visits', 'integer', 'int'],
  ['created_at', 'timestamp with time zone', 'datetime'],
  ['changed_at', 'timestamp with time zone', 'datetime'],
];
const CHUNK = 1 << 20;
/** Stands where the number of the pass is written. */
const PASS = '@@@@@';
/** Bytes of an INSERT statement, as mysqldump makes them. */
const INSERT = 1_000_000;

export type StreamDialect = 'postgresql' | 'mysql';

export const CUSTOMER_COLUMNS: readonly string[] = COLUMNS.map(([name]) => name);
export const CUSTOMER_TABLE: Readonly<Record<StreamDialect, string>> = {
  postgresql: 'public.customers',
  mysql: 'customers',
};

/**
 * What pg_dump or mysqldump write of a table of customers, rows of about 300 bytes, in chunks of 1 MiB. About 4 MiB of rows are made at once
 * and given again and again, each time with other numbers in what tells people apart, so that it costs next to nothing. A chunk's
 * memory is used again when 8 MiB more have been given.
 *
 * @param bytes of rows, at least
 */
export function customerDump(dialect: StreamDialect, bytes: number): Generator<Buffer> {
  const { head, rows, foot } = parts(dialect);
  const first = Buffer.from(rows);
  const marks: number[] = [];
  for (let at = first.indexOf(PASS); at >= 0; at = first.indexOf(PASS, at + 1)) marks.push(at);
  return passes({ templates: [first, Buffer.from(first), Buffer.from(first)], marks, head, foot }, bytes);
}

function* passes(dump: DumpParts, bytes: number): Generator<Buffer> {
  const { templates, marks, head, foot } = dump;
  yield Buffer.from(head);
  for (let [pass, left] = [0, bytes]; left > 0; pass++) {
    const template = templates[pass % templates.length] as Buffer;
    const digits = Buffer.from(String(pass).padStart(PASS.length, '0'));
    for (const mark of marks)
      for (let digit = 0; digit < PASS.length; digit++) template[mark + digit] = digits[digit] ?? 0;
    for (let from = 0; from < template.length && left > 0; from += CHUNK) {
      const end = left <= CHUNK ? wholeRows(template, from + left) : Math.min(from + CHUNK, template.length);
      yield template.subarray(from, end);
      left -= end - from;
    }
  }
  yield Buffer.from(foot);
}

interface DumpParts {
  templates: readonly Buffer[];
  /** Where the number of the pass stands. */
  marks: readonly number[];
  head: string;
  foot: string;
}

function wholeRows(template: Buffer, from: number): number {
  return template.indexOf('\n', Math.min(from, template.length - 2)) + 1;
}

function parts(dialect: StreamDialect): { head: string; rows: string; foot: string } {
  const table = CUSTOMER_TABLE[dialect];
  const random = new RandomNumbers(11);
  if (dialect === 'postgresql') {
    const columns = COLUMNS.map(([name, type]) => `    ${name} ${type}`).join(',\n');
    const rows = Array.from({ length: 15_000 }, (_, row) => `${fields(row, random).join('\t')}\n`).join('');
    return {
      head: `--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\nCREATE TABLE ${table} (\n${columns}\n);\n\nCOPY ${table} (${CUSTOMER_COLUMNS.join(', ')}) FROM stdin;\n`,
      rows,
      foot: `\\.\n\nALTER TABLE ONLY ${table} ADD CONSTRAINT customers_pkey PRIMARY KEY (id);\n\n--\n-- PostgreSQL database dump complete\n--\n\n`,
    };
  }
  const columns = COLUMNS.map(([name, , type]) => `  \`${name}\` ${type}`).join(',\n');
  const tuples: string[] = [];
  for (let [row, length] = [0, 0]; row < 15_000; row++) {
    const tuple = `(${fields(row, random).map(mysqlLiteral).join(',')})`;
    const begins = length === 0;
    length += tuple.length + 1;
    const ends = length >= INSERT || row === 14_999;
    tuples.push(`${begins ? `INSERT INTO \`${table}\` VALUES ` : ','}${tuple}${ends ? ';\n' : ''}`);
    if (ends) length = 0;
  }
  return {
    head: `-- MySQL dump 10.13  Distrib 8.0.40, for Linux (x86_64)\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS \`${table}\`;\nCREATE TABLE \`${table}\` (\n${columns},\n  PRIMARY KEY (\`id\`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n\nLOCK TABLES \`${table}\` WRITE;\n`,
    rows: tuples.join(''),
    foot: `UNLOCK TABLES;\n-- Dump completed\n`,
  };
}

function fields(row: number, random: RandomNumbers): string[] {
  const pick = (list: readonly string[]) => list[random.skewedBelow(list.length)] as string;
  const [first, last] = [pick(FIRST_NAMES), pick(LAST_NAMES)];
  const number = String(row).padStart(5, '0');
  const who = `${PASS}${number}`;
  const digits = (most: number) => String(random.below(most)).padStart(2, '0');
  const time = `2025-0${1 + random.below(9)}-1${random.below(10)} 1${random.below(10)}:2${random.below(10)}:3${random.below(10)}`;
  return [
    `1${who}`,
    `${first}.${last}${who}@corp.example`.toLowerCase(),
    `${first} ${last}`,
    `${last} Street ${random.below(400)}`,
    `${pick(LAST_NAMES)} & ${pick(LAST_NAMES)} Ltd`,
    `${first}${who}`.toLowerCase(),
    `https://${last}${who}.example/`.toLowerCase(),
    `19${40 + random.below(60)}-0${1 + random.below(9)}-1${random.below(10)}`,
    `tok_${random.next().toString(16).padStart(8, '0')}${who}`,
    `+49 151 ${number}${PASS}`,
    row % 3 === 0 ? '\\N' : `${pick(WORDS)} ${pick(WORDS)} ${pick(WORDS)} ${pick(WORDS)}`,
    pick(CITIES),
    'DE',
    String(10_000 + random.below(90_000)),
    pick(STATES),
    `${random.below(9000)}.${digits(100)}`,
    row % 4 === 0 ? 'f' : 't',
    String(random.below(500)),
    `${time}+00`,
    `${time}+00`,
  ];
}

function mysqlLiteral(field: string, column: number): string {
  if (field === '\\N') return 'NULL';
  const type = COLUMNS[column]?.[2] ?? '';
  if (/^(big)?int|^decimal/.test(type)) return field;
  if (type.startsWith('tinyint')) return field === 't' ? '1' : '0';
  return `'${field.replace(/\+00$/, '')}'`;
}
