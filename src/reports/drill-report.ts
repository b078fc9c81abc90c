import { createHash } from 'node:crypto';
import type { Drill, DrillCheck } from '../core/drill.ts';
import { DRILL_REPORT_STYLE } from './drill-report-style.ts';
import { escaped, formatBytes, formatDuration, formatExactBytes, formatMoment } from './report-text.ts';

/** What a content policy names the page's only style by. */
export const DRILL_REPORT_STYLE_HASH = `sha256-${createHash('sha256').update(DRILL_REPORT_STYLE).digest('base64')}`;

/**
 * The evidence of a drill as one page of HTML: no scripts, nothing from elsewhere, to be read on a screen or printed. Whatever it
 * shows may come from a stranger's data and is escaped.
 *
 * @param evidenceHash SHA-256 of the evidence as the audit log has it, hex
 */
export function drillReport(drill: Drill, evidenceHash: string): string {
  const title = `Restore drill of ${drill.resourceId}, ${formatMoment(drill.completedAt)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>${escaped(title)}</title>
<style>${DRILL_REPORT_STYLE}</style>
</head>
<body>
<main>
${[
  header(drill),
  verdict(drill),
  figures(drill),
  section('What was restored', facts(whatFacts(drill))),
  section(`Checks (${countedChecks(drill.checks)})`, checksTable(drill.checks)),
  drill.warnings.length === 0 ? '' : section('Warnings', list(drill.warnings)),
  section('How it was done', facts(howFacts(drill))),
  footer(drill, evidenceHash),
].join('\n')}
</main>
</body>
</html>
`;
}

const VERDICTS = {
  passed: { mark: '✓', word: 'Passed' },
  failed: { mark: '✗', word: 'Failed' },
  impossible: { mark: '!', word: 'Could not be done' },
};

const FAULTS = {
  backup: 'What was restored is not what was backed up.',
  assertion: 'The backup restores, and its content is not what was asserted.',
  environment:
    'The machine that ran the drill is at fault. This says nothing of the backup, and proves nothing either.',
  unknown: 'The drill broke off for a reason that was not foreseen. Nothing was proven.',
};

function header({ resourceId, completedAt }: Drill): string {
  return `<header>
<p class="kind">Restore drill</p>
<h1>${escaped(resourceId)}</h1>
<p class="when">${escaped(formatMoment(completedAt))}</p>
</header>`;
}

function verdict({ outcome, fault, error, backup }: Drill): string {
  const { mark, word } = VERDICTS[outcome];
  const text =
    outcome === 'passed'
      ? `The backup of ${formatMoment(backup.createdAt)} was restored into a throw-away target, and what came of it agrees with what was backed up.`
      : FAULTS[fault ?? 'unknown'];
  const reason =
    error === undefined ? '' : `<p class="reason">${escaped(error.message)} <code>${escaped(error.code)}</code></p>`;
  return `<section class="verdict ${outcome}">
<p class="word"><span class="mark">${mark}</span> ${word}</p>
<p>${escaped(text)}</p>
${reason}</section>`;
}

function figures({ recoveryTimeMilliseconds, recoveryPoint, restoredBytes }: Drill): string {
  const time = recoveryTimeMilliseconds === undefined ? '–' : formatDuration(recoveryTimeMilliseconds);
  const newest = recoveryPoint.log === undefined ? 'newest backup' : 'last change that was replayed';
  const boxes = [
    ['Recovery time', time, 'from the beginning of the drill until the data could be used'],
    ['Recovery point', formatDuration(recoveryPoint.ageMilliseconds), `age of the ${newest} when the drill began`],
    ['Restored', restoredBytes === undefined ? '–' : formatBytes(restoredBytes), 'content that came back'],
  ] as const;
  const items = boxes.map(
    ([name, value, note]) =>
      `<div><dt>${name}</dt><dd>${escaped(value)}</dd><dd class="note">${escaped(note)}</dd></div>`,
  );
  return `<dl class="figures">${items.join('')}</dl>`;
}

type Fact = readonly [name: string, value: string];

function whatFacts({ resourceId, resourceType, service, backup, which, moment, restoredBytes: _bytes }: Drill): Fact[] {
  const chosen = {
    newest: 'the newest one',
    random: 'chosen at random',
    chosen: 'chosen by whoever started the drill',
    moment: 'the newest one that was complete by the moment',
  };
  return [
    [
      'Resource',
      resourceType === service ? `${resourceId} (${service})` : `${resourceId} (${resourceType}, ${service})`,
    ],
    ['Backup', `${backup.id}, ${chosen[which]}`],
    ...momentFacts(moment),
    ['Made', `${formatMoment(backup.createdAt)}, ${backup.type}`],
    ['Size', formatExactBytes(backup.size)],
    ['Checksum', backup.checksum],
    ['Repository', backup.repositoryId],
    ['Snapshots needed', String(backup.chainLength)],
  ];
}

function momentFacts(moment: Drill['moment']): Fact[] {
  if (moment === undefined) return [];
  const { which, at, reached } = moment;
  const asked: Fact = ['Moment', which === 'random' ? `${at}, chosen at random` : at];
  if (reached === undefined) return [asked];
  return [asked, ['Log replayed to', `${reached.position}, the last change of ${formatMoment(reached.at)}`]];
}

function howFacts({ createdBy, createdAt, completedAt, operationId, recoveryPoint, environment }: Drill): Fact[] {
  const { log } = recoveryPoint;
  const replayed: Fact[] =
    log === undefined ? [] : [['Log replayed to', `${log.position}, the last change of ${formatMoment(log.at)}`]];
  return [
    ['Started by', createdBy],
    ['From', formatMoment(createdAt)],
    ['To', formatMoment(completedAt)],
    ['Operation', operationId],
    ['Newest backup then', `${recoveryPoint.backupId}, ${formatMoment(recoveryPoint.createdAt)}`],
    ...replayed,
    ...Object.entries(environment).map(([name, value]): Fact => [wordOf(name), value]),
  ];
}

function countedChecks(checks: readonly DrillCheck[]): string {
  const count = (outcome: DrillCheck['outcome']) => checks.filter((check) => check.outcome === outcome).length;
  const parts = [`${count('passed')} passed`];
  if (count('failed') > 0) parts.push(`${count('failed')} failed`);
  if (count('not-applicable') > 0) parts.push(`${count('not-applicable')} not applicable`);
  return parts.join(', ');
}

function checksTable(checks: readonly DrillCheck[]): string {
  if (checks.length === 0) return '<p>The drill did not come to a check.</p>';
  const head =
    '<thead><tr><th>Result</th><th>What was checked</th><th>Expected</th><th>Found</th><th class="number">Took</th></tr></thead>';
  return `<table>${head}<tbody>${checks.map(checkRow).join('\n')}</tbody></table>`;
}

const RESULTS = { passed: '✓ passed', failed: '✗ failed', 'not-applicable': 'not applicable' };
const KINDS = { content: 'compared with the backup', integrity: 'looked at by itself', assertion: 'assertion' };

function checkRow(check: DrillCheck): string {
  const subject = check.subject === undefined ? '' : `<br><code>${escaped(check.subject)}</code>`;
  const details =
    check.details === undefined || check.details.length === 0
      ? ''
      : `<div class="details">${list(check.details)}</div>`;
  return `<tr class="${check.outcome}">
<td class="result">${RESULTS[check.outcome]}</td>
<td>${escaped(check.description)}${subject}<br><span class="kind">${KINDS[check.kind]}</span></td>
<td data-name="Expected">${escaped(check.expected)}</td>
<td data-name="Found">${escaped(check.found)}${details}</td>
<td data-name="Took" class="number">${escaped(formatDuration(check.durationMilliseconds))}</td>
</tr>`;
}

function footer({ id }: Drill, evidenceHash: string): string {
  return `<footer>
<p>Evidence ${escaped(id)}, kept by Holdfast. <code>GET /drills/${escaped(id)}</code> gives it as JSON.</p>
<p>SHA-256 of its canonical JSON (RFC 8785), which the hash-chained audit log holds under <code>drill.complete</code>:<br><code>${escaped(evidenceHash)}</code></p>
</footer>`;
}

function section(heading: string, content: string): string {
  return `<section><h2>${escaped(heading)}</h2>${content}</section>`;
}

function facts(entries: readonly Fact[]): string {
  return `<dl class="facts">${entries.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>`;
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${escaped(item)}</li>`).join('')}</ul>`;
}

function wordOf(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
