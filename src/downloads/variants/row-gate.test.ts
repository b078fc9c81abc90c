import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MaskingRun } from '../masking/masking-run.ts';
import type { TableSelection } from '../masking/row-selection.ts';
import type { TablePlan } from '../variant-plan.ts';
import { requireRows } from './row-gate.ts';

const KEPT: TableSelection = { rows: 3, kept: bits(0b101), cut: [] };

test('all rows of a masked variant come out, and none of a table that is left away', () => {
  requireRows(runOf('rows', [3, 3]));
  requireRows(runOf('structure', [3, 0]));
  requireRows(runOf('drop', [0, 0]));
  for (const run of [runOf('rows', [3, 2]), runOf('rows', [3, 4]), runOf('structure', [3, 1]), runOf('drop', [3, 3])])
    assert.throws(() => requireRows(run), { code: 'variant-failed', message: /"t"/ });
});

test('of a reduced variant just the chosen rows come out, and none of a table of which none were chosen', () => {
  requireRows(runOf('rows', [3, 2], { t: KEPT }));
  requireRows(runOf('rows', [3, 0], {}));
  for (const run of [
    runOf('rows', [3, 3], { t: KEPT }),
    runOf('rows', [4, 2], { t: KEPT }),
    runOf('rows', [3, 3], {}),
    runOf('rows', [3, 1], {}),
  ])
    assert.throws(() => requireRows(run), { code: 'variant-failed', message: /"t"/ });
});

function runOf(
  fate: TablePlan['fate'],
  [rowsIn, rowsOut]: readonly [number, number],
  tables?: Readonly<Record<string, TableSelection>>,
): MaskingRun {
  return {
    plan: {
      ...{ variant: 'v', policyHash: '', epoch: '1', detectors: 'none' },
      content: { kind: 'tables', tables: [{ table: 't', fate, columns: [] }] },
    },
    ...{ key: new Uint8Array(32), threads: 1, signal: new AbortController().signal },
    counts: { tables: new Map([['t', { rowsIn, rowsOut }]]) },
    ...(tables === undefined ? {} : { selection: { tables } }),
  };
}

function bits(value: number): Uint8Array<SharedArrayBuffer> {
  const bytes = new Uint8Array(new SharedArrayBuffer(1));
  bytes[0] = value;
  return bytes;
}
