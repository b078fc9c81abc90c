import { z } from 'zod';
import { VARIANT_NAME } from '../../core/grant.ts';
import { RESOURCE_PATTERN } from '../../core/resource-pattern.ts';
import { isSecretReference } from '../../core/secret-reference.ts';
import { subsetSchema } from './subset-schema.ts';

const text = z.string().min(1).max(10_000);
const reason = z.string().trim().min(3, 'must be a reason in words').max(1000);

const ruleForms = [z.null(), text, z.record(z.string(), z.unknown())] as const;

const rule = z
  .union(ruleForms, {
    error:
      'must be a rule: `keep`, a transformer, a domain, null, or a transformer with its options such as `{ const: x }`',
  })
  .describe(
    'What is done to a value: `keep`, the name of a transformer or of a domain, null, `{ transformer: options }` or `{ domain: name }`. A whole column may be `{ derive: "SQL over masked columns" }`.',
  );

/** An object with `rule` in it is not one: it says more of its column. */
const ruleObject = z
  .record(z.string(), z.unknown())
  .refine((form) => !Object.hasOwn(form, 'rule'), { abort: true })
  .meta({ not: { required: ['rule'] } });

const column = z
  .union(
    [
      z.null(),
      text,
      z.strictObject({
        rule,
        type: text
          .describe('The type that the column has now. Another one stops the variant until somebody has looked at it.')
          .optional(),
        allow_uniqueness_loss: reason
          .describe('Why two values of a unique column may become one: the reason, in words.')
          .optional(),
        allow_detected: reason
          .describe('Why what looks like personal data may stay in this column: the reason, in words.')
          .optional(),
      }),
      ruleObject,
    ],
    { error: 'must be a rule, or an object with a `rule` and what else is to be said of the column' },
  )
  .describe(
    'What is done to the values of the column; `generated` for one that the database computes, `{ derive: "lower(email)" }` for one that it is to compute of masked columns when the rows are there.',
  );

const columns = z.record(z.string(), column).describe('Every column of the table, by its name, with its rule.');
const unless = text.describe(
  "Rows that are given as they are, such as `email like '%@corp.example'`. Needs a reason in `accept`.",
);
const accept = z
  .strictObject({ unless: reason.describe('Why the rows that `unless` means may leave unmasked.').optional() })
  .describe('What was decided on purpose, with the reason.');

const table = z
  .union(
    [
      z.literal('structure'),
      z.literal('drop'),
      z.strictObject({ columns: columns.optional(), unless: unless.optional(), accept: accept.optional() }),
    ],
    { error: 'must be `structure`, `drop`, or an object with `columns`' },
  )
  .describe('What is given of the table: masked rows, `structure` (no rows) or `drop` (not even the table).');

const document = z
  .strictObject({
    unknown: z
      .enum(['redact', 'null', 'keep', 'fail'])
      .describe('What is done to scalars that no path names.')
      .default('redact'),
    paths: z
      .record(z.string(), rule)
      .describe('Rules by JSONPath (`$`, `.name`, `[*]`, `..name`); the first that matches counts.')
      .default({}),
    names: z
      .enum(['redact', 'keep', 'fail'])
      .describe('What is done to names of members that look personal themselves, and that no path names.')
      .default('redact'),
    on_invalid: z.enum(['null', 'fail']).describe('What is done to text that is no JSON.').default('fail'),
  })
  .describe('The rules of JSON.');

const csv = z.strictObject({
  delimiter: z.string().length(1).describe('One character; a tab is written "\\t".').default(','),
  quote: z.string().length(1).describe('One character around values.').default('"'),
  header: z.boolean().describe('Whether the first line names the columns.').default(true),
  columns,
  unless: unless.optional(),
  accept: accept.optional(),
});

const file = z
  .union(
    [
      z.literal('keep'),
      z.literal('drop'),
      z.strictObject({ csv: csv.describe('Values between delimiters, masked by column.') }),
      z.strictObject({ json: document }),
    ],
    { error: 'must be `keep`, `drop`, `{ csv: … }` or `{ json: … }`' },
  )
  .describe('What is done to the files whose path the pattern matches.');

/** Each is listed with each backup, and what they extend is followed for each. */
const MOST_VARIANTS = 100;

const variantName = z
  .string()
  .regex(VARIANT_NAME, 'must be lower-case letters, digits, dots, underscores and hyphens')
  .refine((name) => name !== 'raw', 'must not be `raw`: that is the data as it was backed up');

const variant = z
  .strictObject({
    keep: z.literal('full').describe('All rows of all tables whose rows are given.').optional(),
    extends: variantName.describe('Another variant, from which this one takes what it does not say.').optional(),
    subset: subsetSchema.optional(),
    produce: z
      .enum(['ahead', 'keys-ahead', 'on-demand'])
      .describe(
        'Made after each backup, or when somebody first asks. `keys-ahead`, for a subset: when somebody asks, but the keys that rows are chosen by are read after each backup. Default: ahead for a subset, else on-demand.',
      )
      .optional(),
    verify: z
      .enum(['load', 'none'])
      .describe('`load`: loaded into a throw-away server before anybody gets it.')
      .optional(),
  })
  .describe('One masked or reduced copy that can be asked for.');

const domain = z
  .union(
    [
      text,
      z.looseObject({
        transform: text.describe('The transformer.'),
        normalise: z
          .array(z.enum(['trim', 'lower']))
          .describe(
            'Done to a value before its pseudonym is looked for, so that spellings of the same come to the same.',
          )
          .optional(),
      }),
    ],
    {
      error:
        'must be a transformer, or an object with `transform`, maybe `normalise`, and the options of the transformer',
    },
  )
  .describe('A kind of value: columns of one domain give equal output for equal input.');

/** A masking policy as its file has it; docs/variants.md explains it. */
export const policySchema = z
  .strictObject({
    version: z.literal(1).describe('Of this format: 1.'),
    resource: z
      .string()
      .regex(RESOURCE_PATTERN, 'must be the id of a resource, or the beginning of ids and a `*`')
      .describe('Whose backups: the id of a resource, or the beginning of ids followed by `*`.'),
    key: z
      .string()
      .refine(
        isSecretReference,
        'must be a reference: the key itself must not stand here. Write env:NAME or file:/path',
      )
      .describe('Where the key is that all pseudonyms are made of: `env:NAME` or `file:/path`.'),
    epoch: z
      .union([z.string().min(1).max(100), z.number().int()])
      .describe('Another epoch has other pseudonyms.')
      .default('1'),
    default: variantName.describe('The variant for whoever does not name one.').optional(),
    variants: z
      .record(variantName, variant)
      .refine((variants) => Object.keys(variants).length > 0, 'must declare a variant at least')
      .refine(
        (variants) => Object.keys(variants).length <= MOST_VARIANTS,
        `must not declare more than ${MOST_VARIANTS}`,
      )
      .describe('The copies that can be asked for, by name.'),
    defaults: z
      .strictObject({
        new_table: z
          .enum(['fail', 'structure'])
          .describe('A table that is not named stops the variant, or is given without rows.')
          .default('fail'),
        new_column: z
          .union([z.literal('fail'), z.literal('null'), z.null()], { error: 'must be `fail` or null' })
          .describe('A column that is not named stops the variant, or becomes NULL.')
          .default('fail'),
      })
      .describe('What is done to what the policy does not name.')
      .prefault({}),
    domains: z.record(z.string().min(1), domain).describe('Kinds of values, by name.').default({}),
    tables: z
      .record(z.string(), table)
      .describe('Every table, as `schema.table` in PostgreSQL and `table` elsewhere. `log_*` may be given a fate.')
      .default({}),
    document: document.optional(),
    files: z
      .record(z.string().min(1), file)
      .describe('For backups of files, by a pattern of their paths; the first that matches counts.')
      .default({}),
    checks: z
      .strictObject({
        detectors: z
          .enum(['high', 'all', 'none'])
          .describe('Which personal data the result is searched for before it is given.')
          .default('high'),
      })
      .describe('How the result is checked.')
      .prefault({}),
  })
  .describe('A masking policy of Holdfast.');

export type PolicyFile = z.output<typeof policySchema>;
export type ColumnForm = z.output<typeof column>;
export type TableForm = z.output<typeof table>;
export type DocumentForm = z.output<typeof document>;
export type FileForm = z.output<typeof file>;
export type VariantForm = z.output<typeof variant>;
export type DomainForm = z.output<typeof domain>;
