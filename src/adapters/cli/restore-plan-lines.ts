import type { PlannedNames, RestorePlan } from '../../core/restore-plan.ts';
import { printable } from '../../reports/table.ts';
import { formatBytes, formatDuration } from './formatting.ts';

const MOST_SHOWN = 20;

/** What a restore would do, for a person: each heading with the first names. */
export function planLines(plan: RestorePlan | undefined): string[] {
  if (plan === undefined) return [];
  const { bytes, estimatedSeconds, estimatedFrom } = plan;
  const time =
    estimatedSeconds === undefined
      ? ''
      : `, about ${formatDuration(estimatedSeconds * 1000)} by the speed of ${estimatedFrom}`;
  return [
    ...section('Would be created', plan.created),
    ...section('Would be replaced', plan.replaced),
    ...section('Would be dropped', plan.dropped),
    ...section('Would be left out', plan.skipped),
    ...section('In the way, where the restore would stop', plan.blocked),
    `Bytes to restore: ${formatBytes(bytes)}${time}.`,
  ];
}

function section(heading: string, { count, names }: PlannedNames): string[] {
  if (count === 0) return [];
  const shown = names.slice(0, MOST_SHOWN).map((name) => `  ${printable(name)}`);
  const rest = count - shown.length;
  return [
    `${heading}: ${count.toLocaleString('en-US')}`,
    ...shown,
    ...(rest > 0 ? [`  and ${rest.toLocaleString('en-US')} more (--json names the first 1,000)`] : []),
  ];
}
