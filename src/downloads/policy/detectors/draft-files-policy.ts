import type { TableSchema } from '../../content/content-schema.ts';
import { type DraftOptions, draftPolicy } from './draft-policy.ts';

/** Drafts a policy of a tree of files: the columns of its CSV files, by their names; whatever else there is, is left out until somebody says otherwise. */
export function draftFilesPolicy(
  { tables, others }: { tables: readonly TableSchema[]; others: number },
  options: DraftOptions,
): string {
  const text = draftPolicy({ dialect: 'csv', tables }, new Map(), options);
  if (others === 0) return text;
  const files = others === 1 ? 'one more file' : `${others} more files`;
  return `${text.replace(/^files: \{\}$/m, 'files:')}  "**": drop  # review: ${files}, in which nothing was looked for\n`;
}
