import type { ColumnSchema } from '../../content/content-schema.ts';
import { KEEP, type VariantPlan } from '../../variant-plan.ts';
import type { PolicyProblem } from '../compile/policy-problem.ts';
import type { SchemaSamples } from './column-groups.ts';
import type { ColumnSample } from './column-sampler.ts';
import { detectValue, detectWithin } from './detect-value.ts';
import type { DataKind } from './detector.ts';

/** A share of values so small may look like something by chance. */
const CHANCE = 0.01;

/**
 * Looks for personal data in samples of the columns that a plan keeps. What is found is a problem, unless the policy gives a reason (`allow_detected`). What is not found
 * may be there nevertheless.
 */
export function checkKeptColumns(plan: VariantPlan, samples: SchemaSamples): PolicyProblem[] {
  const { content, detectors } = plan;
  if (content.kind !== 'tables' || detectors === 'none') return [];
  return content.tables
    .filter(({ fate }) => fate === 'rows')
    .flatMap(({ table, columns }) =>
      columns.flatMap(({ column, rule, allowsDetected, family }) => {
        const sample = samples.get(table)?.get(column);
        if (rule.transformer !== KEEP || allowsDetected || sample === undefined || isHarmless(family)) return [];
        const found = findIn(sample, detectors);
        return found === undefined ? [] : [keptProblem(table, column, found)];
      }),
    );
}

interface Found {
  kind: DataKind;
  count: number;
  of: number;
}

function findIn({ values }: ColumnSample, detectors: 'high' | 'all'): Found | undefined {
  const counts = new Map<DataKind, number>();
  for (const value of values) {
    const kind = detectValue(value) ?? detectWithin(value);
    if (kind === undefined || (detectors === 'high' && kind.impact !== 'high') || kind.rules[0] === KEEP) continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most === undefined || most[1] < values.length * CHANCE) return undefined;
  return { kind: most[0], count: most[1], of: values.length };
}

/** Numbers look like cards by chance, and days are days. */
function isHarmless(family: ColumnSchema['family']): boolean {
  return (
    family === 'boolean' || family === 'timestamp' || family === 'time' || family === 'interval' || family === 'enum'
  );
}

function keptProblem(table: string, column: string, { kind, count, of }: Found): PolicyProblem {
  return {
    code: 'personal-data-kept',
    table,
    column,
    message: `The column ${table}.${column} is kept, and ${count} of ${of} sampled values look like: ${kind.name}.`,
    suggestion: `Write \`${kind.rules[0]}\`, or say why they may stay: \`{ rule: keep, allow_detected: "…" }\`.`,
  };
}
