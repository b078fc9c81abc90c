import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { plansFor, rule, runOf } from '../../../test/masking-rig.ts';
import {
  chunked,
  collected,
  IMPATIENT_POSTGRESQL,
  maskingRun,
  POSTGRESQL,
  schemaOf,
  tablesPlan,
  variantOf,
} from '../../../test/variant-rig.ts';
import { maskedContent } from './masking-pool.ts';

const ROWS = 30_000;
const line = (n: number) => `${n}\tperson ${n} of the secret list\tnote ${n % 7}\n`;
const DUMP = Buffer.from(
  `CREATE TABLE t (id int, name text, note text);\nCOPY public.t (id, name, note) FROM stdin;\n${Array.from({ length: ROWS }, (_, n) => line(n)).join('')}\\.\n`,
);
const SMALL = DUMP.toString()
  .split('\n')
  .toSpliced(5, ROWS - 3)
  .join('\n');

/** Worker threads of this process that have not ended. */
const running = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  running.add(worker);
  worker.once('exit', () => running.delete(worker));
});

describe('the masking of rows in threads', () => {
  afterEach(() => assert.equal(running.size, 0));

  it('gives equal bytes for one thread and several, and for chunks of any size', async () => {
    const wanted = { 'public.t': { name: 'number', note: 'mark' } };
    const one = await variantOf(DUMP, wanted);
    const two = await variantOf(DUMP, wanted, { threads: 2, sizes: [100_003, 17, 65_536] });
    assert.ok(one.bytes.equals(two.bytes));
    assert.deepEqual(one.counts, two.counts);
    assert.deepEqual(one.counts.get('public.t'), {
      rowsIn: ROWS,
      rowsOut: ROWS,
    });
  });

  const failed = (rule: string, message: RegExp, content = POSTGRESQL) =>
    assert.rejects(
      variantOf(SMALL, { 'public.t': { name: rule } }, { content }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'variant-failed');
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify(error) + error.stack + String(error.cause), /secret|person/);
        return true;
      },
    );

  it('fails where a rule throws, and does not show what it says', () =>
    failed('throws', /Row 1 of table "public\.t".*a rule|one of its rules/));
  it('fails as a rule says that knows what it says', () => failed('refuses', /A rule cannot take this\. \(row 1\)/));
  it('fails where a rule gives what the database has not', () => failed('nul', /NUL/));
  it('fails where a thread dies', () => failed('dies', /ended unexpectedly/));
  it('ends a thread whose rule does not come to an end', () =>
    failed('loops', /took longer than/, IMPATIENT_POSTGRESQL));

  it('names the row within the whole table, in whichever block it is', async () => {
    const broken = DUMP.toString().replace(line(20_000), '20000\n');
    await assert.rejects(variantOf(broken, { 'public.t': { name: 'number' } }, { threads: 2 }), {
      message: /^Row 20001 of table/,
    });
  });

  it('has as many blocks in its threads as are not too large together, and a giant one by itself', async () => {
    const run = runOf(plansFor(await schemaOf(DUMP), { 'public.t': { rules: { name: rule('hash') } } }), {
      threads: 2,
    });
    const rows = { table: 'public.t', columns: ['id', 'name', 'note'], format: 'postgresql-copy' };
    for (const [megabytes, most] of [
      [1, 4],
      [5, 1],
      [9, 1],
    ] as const) {
      let taken = 0;
      async function* parts() {
        for (; taken < 6; taken++) yield { rows, bytes: Buffer.from(line(1).repeat((megabytes * 1e6) / 40)) };
      }
      let given = 0;
      for await (const piece of maskedContent(parts(), run)) {
        assert.ok(piece.length > 0);
        // One more waits to be taken.
        assert.ok(taken - given++ <= most + 1, `${megabytes} MB: ${taken}`);
      }
      assert.equal(given, 6);
    }
  });

  it('lets nothing out that a rule prints', async (t) => {
    const [out, error] = [t.mock.method(process.stdout, 'write'), t.mock.method(process.stderr, 'write')];
    const { text } = await variantOf(SMALL, { 'public.t': { name: 'prints' } });
    const printed = [...out.mock.calls, ...error.mock.calls].map(({ arguments: [chunk] }) => String(chunk)).join('');
    assert.match(text, /\tx\t/);
    assert.doesNotMatch(printed, /secret list/);
  });

  it('ends its threads whenever it is aborted, and when nobody wants the rest', async () => {
    const schema = await schemaOf(DUMP);
    for (const milliseconds of [0, 5, 60, 150]) {
      const aborting = new AbortController();
      const run = maskingRun(tablesPlan(schema, { 'public.t': { name: 'loops' } }), {
        signal: aborting.signal,
        threads: 2,
      });
      const timer = setTimeout(() => aborting.abort(new Error('enough')), milliseconds);
      await assert.rejects(collected(POSTGRESQL.rewrite(chunked(DUMP, 65_536), run)), { message: 'enough' });
      clearTimeout(timer);
    }
    const run = maskingRun(tablesPlan(schema, { 'public.t': { name: 'number' } }));
    let parts = 0;
    for await (const part of POSTGRESQL.rewrite(chunked(DUMP, 65_536), run))
      if (part.length > 0 && ++parts === 3) break;
    await assert.rejects(
      collected(
        POSTGRESQL.rewrite(breaking(), maskingRun(run.plan.content.kind === 'tables' ? run.plan.content.tables : [])),
      ),
      {
        message: 'the source broke',
      },
    );
  });
});

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield* chunked(DUMP.subarray(0, DUMP.length / 2), 65_536);
  throw new Error('the source broke');
}
