import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { chooseInThread } from './choosing-thread.ts';
import type { GatheredIndex } from './key-index-builder.ts';
import { buildKeyIndex } from './key-index-thread.ts';
import { RowBits } from './row-bits.ts';
import type { PlannedRoot, SubsetPlan } from './subset-plan.ts';

test('rows are chosen while the service does other things', async () => {
  const rows = 3_000_000;
  let ticks = 0;
  const others = setInterval(() => ticks++, 1);
  try {
    const { tables } = await chooseInThread(planOf(['t']), indexOf(rows), new AbortController().signal);
    assert.equal(tables.t?.rows, rows);
    assert.equal(new RowBits(rows, tables.t?.kept).count(), rows);
    assert.ok(ticks >= 10, `${ticks}`);
  } finally {
    clearInterval(others);
  }
});

test('a table may be called like what every object has', async () => {
  const { tables } = await chooseInThread(planOf(['t']), indexOf(1), new AbortController().signal);
  assert.equal(tables.constructor, undefined);
  const own = await chooseInThread(planOf(['__proto__']), indexOf(1, '__proto__'), new AbortController().signal);
  assert.equal(Object.values(own.tables)[0]?.rows, 1);
});

test('what keeps rows from being chosen is told as it is, and an abort ends the choosing', async () => {
  const plan: SubsetPlan = { ...planOf(['t']), budget: { maxRows: 2 } };
  await assert.rejects(chooseInThread(plan, indexOf(3), new AbortController().signal), {
    code: 'variant-over-budget',
    details: { rows: 3, maxRows: 2 },
  });
  const abort = new AbortController();
  const choosing = chooseInThread(planOf(['t']), indexOf(3_000_000), abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(choosing, /enough/);
});

test('an index of a database that is given up leaves no file behind', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'subset-threads-'));
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    for (const fault of ['aborted', 'broken'] as const) {
      const abort = new AbortController();
      async function* bytes() {
        yield Buffer.from('SQLite format 3\0 and what people wrote');
        while ((await readdir(folder)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        if (fault === 'broken') throw new Error('broken');
        abort.abort(new Error('aborted'));
        await new Promise(() => undefined);
      }
      const options = { dialect: 'sqlite', plan: planOf(['t']), signal: abort.signal } as const;
      await assert.rejects(buildKeyIndex(bytes(), options), new RegExp(fault));
      assert.deepEqual(await readdir(folder), []);
    }
  } finally {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    await rm(folder, { recursive: true });
  }
});

function planOf(names: readonly string[]): SubsetPlan {
  const roots: PlannedRoot[] = names.map((_, table) => ({ table, families: {} }));
  const tables = names.map((name) => ({ name, members: [name], sampledBy: [] }));
  return { seed: 's', tables, edges: [], roots, follow: [], whole: [], dangling: 'fail', budget: {} };
}

function indexOf(rows: number, member = 't'): Required<GatheredIndex> {
  return {
    keys: { tables: [[{ member, from: 0, first: 0, rows }]], references: [] },
    facts: { marks: [undefined], roots: [{}] },
  };
}
