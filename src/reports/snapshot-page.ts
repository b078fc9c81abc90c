import { createHash } from 'node:crypto';
import { escaped, formatBytes, formatMoment } from './report-text.ts';
import { SNAPSHOT_PAGE_STYLE } from './snapshot-page-style.ts';
import type { SnapshotLine, SnapshotLines } from './snapshot-table.ts';

/** What a content policy names the page's only style by. */
export const SNAPSHOT_PAGE_STYLE_HASH = `sha256-${createHash('sha256').update(SNAPSHOT_PAGE_STYLE).digest('base64')}`;

/** What may be downloaded as one page of HTML without scripts. Whatever it shows may come from a stranger's data and is escaped. */
export function snapshotPage({ snapshots, nextUrl }: SnapshotLines): string {
  const more = nextUrl === undefined ? '' : `<p class="more"><a href="${escaped(nextUrl)}">Older ones</a></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>Snapshots to download</title>
<style>${SNAPSHOT_PAGE_STYLE}</style>
</head>
<body>
<main>
<h1>Snapshots to download</h1>
<p class="lead">Complete backups that you may have, newest first. Times are UTC.</p>
${snapshots.length === 0 ? '<p>There is nothing that you may download.</p>' : snapshots.map(article).join('\n')}
${more}
<footer>Without <code>?backup=</code> it is always the newest one of its resource. <code>set -o pipefail</code> makes a pipe's exit code tell of curl's failures as well.</footer>
</main>
</body>
</html>
`;
}

/** One that is blocked is no link. */
function variantMarkup({ name, state, size, url }: SnapshotLine['variants'][number]): string {
  const facts = state === 'ready' && size !== undefined ? `${state}, ${formatBytes(size)}` : state;
  const shown = state === 'blocked' ? escaped(name) : `<a href="${escaped(url)}">${escaped(name)}</a>`;
  return state === 'on-demand' ? shown : `${shown} (${escaped(facts)})`;
}

function blockedMarkup({ name, reason }: SnapshotLine['variants'][number]): string {
  return reason === undefined ? '' : `<p class="blocked">${escaped(name)}: ${escaped(reason)}</p>\n`;
}

function article({ id, resource, createdAt, size, formats, variants, proven, url, command }: SnapshotLine): string {
  const restorable =
    proven === null
      ? '<span>not proven by a drill yet</span>'
      : `<span class="proven">✓ proven restorable ${escaped(formatMoment(proven.at))}</span>`;
  return `<article>
<h2><a href="${escaped(url)}">${escaped(resource)}</a></h2><span class="when">${escaped(formatMoment(createdAt))}</span>
<p class="facts"><span>${size === null ? 'size not known' : escaped(formatBytes(size))}</span><span>${escaped(formats.join(', '))}</span><span>${variants.map(variantMarkup).join(', ')}</span>${restorable}<br><span>${escaped(id)}</span></p>
${variants.map(blockedMarkup).join('')}<pre>${escaped(command)}</pre>
</article>`;
}
