import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseRows } from './closure.ts';
import { DANGLING } from './key-table.ts';
import { RowReferences } from './row-references.ts';
import type { SubsetPlan } from './subset-plan.ts';

const ROWS = 1_000_000;

// Each pass over all rows for one link of the chain would take days.
test('a chain of a million rows that refer to each other is followed, and taken out where its end leads nowhere', {
  timeout: 120_000,
}, () => {
  const upwards = Int32Array.from({ length: ROWS }, (_, row) => (row === ROWS - 1 ? DANGLING : row + 1));
  const downwards = Int32Array.from({ length: ROWS }, (_, row) => (row === 0 ? DANGLING : row - 1));
  for (const references of [upwards, downwards])
    for (const [dangling, rows] of [
      ['keep', ROWS],
      ['drop', 0],
    ] as const) {
      const chosen = chooseRows(planOf(dangling), {
        tables: [[{ member: 't', from: 0, first: 0, rows: ROWS }]],
        references: [RowReferences.of(references)],
        marks: [Uint32Array.from({ length: ROWS }, (_, row) => row)],
        roots: [{}],
      });
      assert.equal(chosen.kept[0]?.count(), rows);
    }
});

function planOf(dangling: SubsetPlan['dangling']): SubsetPlan {
  return {
    ...{ seed: '', whole: [], dangling, budget: {} },
    tables: [{ name: 't', members: ['t'], sampledBy: ['id'] }],
    edges: [
      {
        ...{ title: 't (next) → t', table: 0, members: ['t'], columns: ['next'] },
        ...{ target: 0, targetMembers: ['t'], targetColumns: ['id'], keys: 'integer', isVirtual: false, isCut: false },
      },
    ],
    roots: [{ table: 0, families: {}, limit: 1 }],
    follow: [{ edges: [0] }],
  };
}
