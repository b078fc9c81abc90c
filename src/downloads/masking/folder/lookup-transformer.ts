import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { Transformer } from '../transformer.ts';
import { checksum, fileName, readFolderFile, withFolder } from './folder-file.ts';

const written = z.strictObject({
  /** A CSV file with a header. */
  file: fileName,
  sha256: checksum,
  /** Names of columns. */
  from: z.string().default('from'),
  to: z.string().default('to'),
  /** For values that the file does not have. */
  otherwise: z.enum(['fail', 'null']).default('fail'),
});

type LookupOptions = z.infer<typeof written> & { folder: string };

/** `lookup`: values by a table of replacements. @param folder where the files are; threads, which get parsed options, need none */
export function lookupTransformer(folder: string | undefined): Transformer<LookupOptions> {
  return {
    name: 'lookup',
    description:
      'Replaces values by a table in a CSV file of the folder of transformers. What the table does not have fails, or becomes NULL.',
    options: written
      .refine(({ from, to }) => from !== to, { path: ['to'], message: 'is the column of the originals' })
      .transform(withFolder(folder, ({ file }) => file)),
    facts: ({ otherwise }) => ({
      accepts: 'all',
      isInjective: false,
      mayGiveNull: otherwise === 'null',
      isTraceable: false,
    }),
    create: (options) => {
      const table = readTable(options);
      const { otherwise } = options;
      return (value) => {
        const replacement = table.get(value);
        if (replacement !== undefined) return replacement;
        if (otherwise === 'null') return null;
        throw new HoldfastError('invalid', 'variant-failed', 'A value is not in the table of its lookup.');
      };
    },
  };
}

function readTable(options: LookupOptions): ReadonlyMap<string, string> {
  const { folder, file, sha256, from, to } = options;
  const bytes = readFolderFile({ folder, name: file, sha256 });
  const table = new Map<string, string>();
  for (const record of recordsOf(bytes, file)) {
    const [key, value] = [own(record, from), own(record, to)];
    if (key === undefined || value === undefined) throw fault(file, `has no columns "${from}" and "${to}"`);
    if (table.has(key) && table.get(key) !== value) throw fault(file, 'has two replacements for one value');
    table.set(key, value);
  }
  return table;
}

function recordsOf(bytes: Buffer, file: string): Record<string, string>[] {
  try {
    return parse(bytes, { columns: true, bom: true, skip_empty_lines: true });
  } catch {
    throw fault(file, 'is no CSV with a header and as many fields in each line');
  }
}

function own(record: Record<string, string>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function fault(file: string, what: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'transformer-file-invalid',
    `The file ${file} of the folder of transformers ${what}.`,
  );
}
