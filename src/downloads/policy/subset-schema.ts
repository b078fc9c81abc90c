import { z } from 'zod';

const text = z.string().min(1).max(10_000);
const names = z.union([text.transform((name) => [name]), z.array(text).min(1).max(32)], {
  error: 'must be a column or a list of columns',
});
const count = z.union(
  [
    z.number().int().min(0),
    z
      .string()
      .regex(/^\d{1,3}(_?\d{3})*$|^\d{1,15}$/)
      .transform((digits) => Number(digits.replaceAll('_', ''))),
  ],
  { error: 'must be a whole number' },
);
const share = z.union(
  [
    z.number().gt(0).max(1),
    z
      .string()
      .regex(/^\d{1,3}(\.\d{1,9})?\s?%$/)
      .transform((percent) => Number.parseFloat(percent) / 100)
      .refine((part) => part > 0 && part <= 1),
  ],
  { error: 'must be a share of the rows such as 1% or 0.01' },
);
const BYTE_SIZES: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const size = z.union(
  [
    z.number().int().min(1),
    z.string().transform((written, context) => {
      const [, digits = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)\s?(KiB|MiB|GiB|TiB|)$/.exec(written) ?? [];
      const bytes = Math.floor(Number(digits) * (BYTE_SIZES[unit] ?? 1));
      if (digits === '' || !Number.isSafeInteger(bytes) || bytes < 1) context.addIssue('is no size');
      return bytes;
    }),
  ],
  { error: 'must be a size such as 2GiB' },
);
const tableColumns = z.union(
  [text, z.strictObject({ table: text.describe('The table.'), columns: names.describe('Its columns, in order.') })],
  {
    error: 'must be `table.column`, or `{ table: …, columns: […] }`',
  },
);

/** Which rows a reduced variant has. */
export const subsetSchema = z
  .strictObject({
    seed: text.describe('The same seed chooses the same rows tomorrow. No secret.').default('holdfast'),
    roots: z
      .array(
        z
          .strictObject({
            table: text.describe('Whose rows.'),
            where: text.describe("Which of them, such as `status != 'deleted'`; all where absent.").optional(),
            sample: share.describe('How many of those: a share such as 1%, the same rows each time.').optional(),
            by: names.describe('What the sample goes by; the primary key where absent.').optional(),
            limit: count.describe('No more rows than this.').optional(),
            newest: z
              .strictObject({
                count: count.describe('How many.'),
                by: text.describe('By the highest values of this column.'),
              })
              .describe('Only the newest rows.')
              .optional(),
            always: z.boolean().describe('All of these rows, whatever is sampled.').optional(),
          })
          .refine(({ always, sample }) => always !== true || sample === undefined, {
            path: ['sample'],
            error: 'does not go with `always`',
          })
          .describe('Rows that are chosen by themselves.'),
      )
      .min(1, 'must name rows to begin with')
      .describe('Rows that are chosen by themselves; what they refer to comes along.'),
    follow: z
      .array(
        z
          .strictObject({
            from: text.describe('A table.'),
            to: text.describe('A table that refers to it.'),
            via: names.describe('The columns of `to` that refer to `from`.'),
            limit_per_parent: count.describe('No more rows of `to` for each row of `from`.').optional(),
          })
          .describe('Rows of `to` that refer to chosen rows of `from`.'),
      )
      .describe('Children that are taken along; no others are.')
      .default([]),
    virtual_keys: z
      .array(
        z
          .strictObject({
            from: tableColumns.describe("`table.column`, or `table.column->>'member'` for a reference inside of JSON."),
            to: tableColumns.describe('`table.column`.'),
            when: z
              .record(z.string().min(1), z.union([z.string(), z.number()]))
              .describe('Only in rows in which these columns have these values.')
              .optional(),
          })
          .describe('One reference.'),
      )
      .describe('References that the database does not know of.')
      .default([]),
    null_out: z
      .array(tableColumns)
      .describe('References (`table.column`) that become NULL instead of taking along what they lead to.')
      .default([]),
    unconnected: z
      .record(z.string(), z.enum(['all', 'none'], { error: 'must be `all` or `none`' }))
      .describe('Tables that nothing connects to a root: all their rows or none. `*` stands for those not named.')
      .default({}),
    // To YAML a bare null is no word.
    dangling: z
      .union([z.enum(['fail', 'null', 'drop', 'keep']), z.null().transform(() => 'null' as const)], {
        error: 'must be `fail`, `null`, `drop` or `keep`',
      })
      .describe('What is done about references that lead nowhere in the backup itself.')
      .default('fail'),
    budget: z
      .strictObject({
        max_rows: count.describe('More rows than this stop the variant.').optional(),
        max_bytes: size.describe('More bytes than this stop the variant.').optional(),
      })
      .describe('What the variant must not exceed.')
      .prefault({}),
  })
  .describe('Which rows: roots, what is taken along with them, and limits.');

export type SubsetForm = z.output<typeof subsetSchema>;
