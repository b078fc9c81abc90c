import type { DraftOptions } from './draft-policy.ts';
import { yamlText } from './draft-text.ts';

/** Drafts a policy of a JSON document. Which of its members are harmless is for a person to say: until then nothing of it can be read. */
export function draftDocumentPolicy({ resource, key }: Pick<DraftOptions, 'resource' | 'key'>): string {
  return [
    '# A draft for a JSON document: everything in it is redacted. Name what may be kept, and what gets a pseudonym; the first path that matches counts.',
    'version: 1',
    `resource: ${yamlText(resource)}`,
    `key: ${yamlText(key)}`,
    'epoch: "1"',
    'default: masked',
    'variants:',
    '  masked: { keep: full }',
    'document:',
    '  unknown: redact',
    '  # For example { "$.settings.language": keep, "$..email": email }',
    '  paths: {}',
    '',
  ].join('\n');
}
