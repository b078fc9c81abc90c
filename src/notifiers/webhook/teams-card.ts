/** Each is a block of its own; what is behind the last is in it. */
const MOST_LINES = 20;

/**
 * A message of Microsoft Teams with one Adaptive Card, as webhooks of its workflows take it. All text is in `TextRun`s, which know no
 * Markdown (https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features): in a `TextBlock`, what a message holds could
 * make links of any text, and the clients of Teams differ in what a backslash takes from that.
 * @param text the first line is the title
 */
export function teamsCard(text: string): object {
  const [title = '', ...rest] = text.split('\n');
  const lines = rest.filter((line) => line.trim() !== '');
  const shown = [...lines.slice(0, MOST_LINES - 1), ...joined(lines.slice(MOST_LINES - 1))];
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    // The first that has these blocks.
    version: '1.2',
    body: [block(title, { weight: 'Bolder' }), ...shown.map((line) => block(line))],
    msteams: { width: 'Full' },
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content }],
  };
}

function block(text: string, look: object = {}): object {
  return { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text, ...look }] };
}

function joined(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [lines.join('\n')];
}
