import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { piecesOf, plansFor, rule, runOf, selectionOf } from '../../../../test/masking-rig.ts';
import { giveBack } from '../../../core/given-back.ts';
import type { ContentPart } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { RowMasker } from '../../masking/row-masker.ts';
import { TableMasker } from '../../masking/table-masker.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriting } from './dump-rewriting.ts';
import { createMysqlInsertRows } from './insert-rows.ts';
import { createMysqlContent } from './mysql-content.ts';

const content = createMysqlContent();
const { signal } = new AbortController();
const MADE = 'CREATE TABLE t (a int, b longtext);\nCREATE TABLE u (a int, b longtext);\n';
/** A quote: a dump of which some were still read would be another one. */
const GARBAGE = 0x27;

/** Chunks that become garbage as soon as the next one is asked for. */
async function* passingChunks(sql: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < sql.length; turn++) {
    const chunk = Uint8Array.from(sql.subarray(at, at + (sizes[turn % sizes.length] as number)));
    at += chunk.length;
    yield chunk;
    chunk.fill(GARBAGE);
  }
}

/** What is given, where each part's memory is gone as soon as it was used: blocks are moved away, and what is given is given back. */
async function rewritten(sql: Buffer, sizes: readonly number[], run: MaskingRun, longest?: number): Promise<string> {
  const rewriting = new DumpRewriting(run, longest);
  const tables = run.plan.content.kind === 'tables' ? run.plan.content.tables : [];
  const out: string[] = [];
  const give = (part: ContentPart) => {
    let given = part instanceof Uint8Array ? part : undefined;
    if (!(part instanceof Uint8Array)) {
      const plan = tables.find(({ table }) => table === part.rows.table)!;
      const values = new RowMasker(plan, part.rows.columns, run.key);
      const selection = run.selection?.tables[plan.table];
      const masker = new TableMasker({ columns: part.rows.columns, values, selection });
      const transfer = part.ownsMemory ? [part.bytes.buffer as ArrayBuffer] : [];
      const block = Buffer.from(structuredClone(part.bytes, { transfer }));
      given = createMysqlInsertRows(part.rows, masker).mask(block, part.firstOrdinal ?? 0).bytes;
      assert.equal(given.length, given.buffer.byteLength);
    }
    out.push(Buffer.from(given ?? []).toString('latin1'));
    if (given !== undefined) giveBack(given);
  };
  for await (const pieces of dumpPieces(passingChunks(sql, sizes), signal))
    for (const piece of pieces) for (const part of rewriting.piece(piece)) give(part);
  for (const part of rewriting.end()) give(part);
  return out.join('');
}

interface Statement {
  table: 't' | 'u';
  /** Lengths of values. */
  rows: readonly number[];
  gap: string;
}

/** One row's value, of characters that mean something elsewhere. */
const textOf = (length: number) => `'${"ab),('';\\'-- ".repeat(Math.ceil(length / 13))}'`;

function sqlOf(statements: readonly Statement[], row: (length: number, ordinal: number) => string | undefined): string {
  let ordinal = 0;
  const texts = statements.map(({ table, rows, gap }) => {
    const given = rows.flatMap((length) =>
      table === 't' ? (row(length, ordinal++) ?? []) : [`(1,${textOf(length)})`],
    );
    return given.length === 0 ? '' : `INSERT INTO \`${table}\` VALUES ${given.join(',')};${gap}`;
  });
  return MADE + texts.join('');
}

const statement = fc.record({
  table: fc.constantFrom('t' as const, 't' as const, 'u' as const),
  rows: fc.oneof(
    fc.array(fc.oneof(fc.nat(50), fc.nat(3000), fc.nat(200_000)), { minLength: 1, maxLength: 12 }),
    fc.integer({ min: 30_000, max: 400_000 }).map((length) => [length]),
  ),
  gap: fc.constantFrom('\n', '', '\n\n'),
});

describe('statements of MySQL dumps that are longer than chunks', () => {
  it('give the same bytes whatever the sizes of both, though all memory is given away as soon as it was used', async () => {
    const schema = await content.schema(passingChunks(Buffer.from(MADE), [9]), signal);
    const plans = plansFor(schema, { t: { rules: { b: rule('null') } } });
    await fc.assert(
      fc.asyncProperty(
        fc.array(statement, { maxLength: 8 }),
        fc.array(fc.oneof(fc.integer({ min: 50, max: 5000 }), fc.integer({ min: 20_000, max: 400_000 })), {
          minLength: 1,
        }),
        fc.constantFrom(undefined, 30_000, 300_000),
        fc.nat(),
        async (statements, sizes, longest, bits) => {
          const sql = Buffer.from(sqlOf(statements, (length) => `(2,${textOf(length)})`));
          const same = await rewritten(sql, sizes, runOf(plansFor(schema)), longest);
          assert.ok(same === sql.toString('latin1'));
          const masked = await rewritten(sql, sizes, runOf(plans), longest);
          assert.ok(masked === sqlOf(statements, () => '(2,NULL)'));
          const rows = statements.reduce((sum, each) => sum + (each.table === 't' ? each.rows.length : 0), 0);
          const others = statements.reduce((sum, each) => sum + (each.table === 'u' ? each.rows.length : 0), 0);
          const isKept = (ordinal: number) => ((bits >> (ordinal % 23)) & 1) === 1;
          const all = (count: number) => Array.from({ length: count }, (_, at) => at);
          const selection = {
            tables: { t: selectionOf(rows, all(rows).filter(isKept)), u: selectionOf(others, all(others)) },
          };
          const reduced = await rewritten(sql, sizes, runOf(plans, { selection }), longest);
          assert.ok(reduced === sqlOf(statements, (_, ordinal) => (isKept(ordinal) ? '(2,NULL)' : undefined)));
          const seen: number[] = [];
          const row = (table: string, _: number, [value]: readonly (string | null)[]) => {
            if (table === 't') seen.push(value?.length ?? 0);
          };
          await content.scan(passingChunks(sql, sizes), { begin: () => [1], row }, signal);
          const lengths = statements.flatMap((each) => (each.table === 't' ? each.rows : []));
          assert.deepEqual(
            seen,
            lengths.map((length) => Math.ceil(length / 13) * 11),
          );
        },
      ),
      {
        numRuns: 40,
        // A long statement that is shorter than what Node.js takes from its pool of memory.
        examples: [[[{ table: 't', rows: [30_000], gap: '\n' }], [50], 30_000, 0]],
      },
    );
  });

  it('give the same bytes by one thread and by two, in pieces of which each masked one is freed when it is given back', async () => {
    const lengths = [10, 700_000, 20, 5_000_000, ...Array.from({ length: 2000 }, (_, at) => (at * 37) % 900)];
    const inserts = lengths.map((length, at) => `INSERT INTO t VALUES (${at},${textOf(length)});\n`);
    const many = Array.from({ length: 30_000 }, (_, at) => `(${at},'person ${at} & ${'x'.repeat(at % 297)}')`);
    const sql = Buffer.from(`${MADE}${inserts.join('')}INSERT INTO t VALUES ${many.join(',')};\n`);
    const schema = await content.schema(passingChunks(sql, [100_003]), signal);
    const tables = plansFor(schema, { t: { rules: { b: rule('hash') } } });
    const given = async (threads: number, sizes: readonly number[]) => {
      const out: Buffer[] = [];
      for await (const piece of content.rewrite(piecesOf(sql, ...sizes), runOf(tables, { threads }))) {
        out.push(Buffer.from(piece));
        const { length } = piece;
        giveBack(piece);
        if (length > 100_000) assert.equal(piece.length, 0);
      }
      return Buffer.concat(out);
    };
    const whole = await given(1, [sql.length]);
    assert.ok(whole.includes("INSERT INTO t VALUES (0,'"));
    for (const [threads, size] of [
      [1, 65_536],
      [2, 1 << 20],
      [2, 100_003],
    ] as const)
      assert.ok((await given(threads, [size])).equals(whole));
  });
});
