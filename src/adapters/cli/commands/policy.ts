import { type Command, InvalidArgumentError, Option } from 'commander';
import { DOWNLOAD_FORMATS } from '../../../core/download-format.ts';
import { VARIANT_NAME } from '../../../core/grant.ts';
import type { CommandSession } from '../command-session.ts';
import { gathered, wholeNumber } from '../option-values.ts';
import type { CheckOptions } from '../policy/check-policy.ts';
import type { InitOptions } from '../policy/draft-policy.ts';
import type { PreviewOptions } from '../policy/preview-variant.ts';

/** An archive of PostgreSQL is a program's to read. */
const FORMATS = DOWNLOAD_FORMATS.filter((format) => format !== 'custom');
/** Of each table; the first ones. */
const SAMPLED_ROWS = 5000;
const PREVIEWED_ROWS = 10;

export function define(command: Command, session: CommandSession): void {
  const init = command
    .command('init')
    .description(
      'Draft a masking policy from a backup: its definitions, and a sample of its values. Read it before you use it.',
    )
    .argument('<resource>', 'whose backup: the newest one, unless said otherwise')
    .option('--output <file>', 'write it into this new file instead of printing it')
    .option('--force', 'over a file that is there')
    .option(
      '--key <reference>',
      'where the key of the pseudonyms will be: env:NAME or file:/path',
      keyReference,
      'env:MASKING_KEY',
    )
    .option(
      '--sample-rows <number>',
      'rows of each table to look at; 0: names and types alone',
      wholeNumber(0),
      SAMPLED_ROWS,
    );
  contentOptions(init).action(async (resourceId: string, options: InitOptions) => {
    const { draftPolicy } = await import('../policy/draft-policy.ts');
    await draftPolicy(session, resourceId, options);
  });
  const check = command
    .command('check')
    .description(
      'Hold a masking policy against a backup or against definitions, and tell all that is wrong. No key is needed.',
    )
    .argument('<policy>', 'its file, or the resource that it is for')
    .option(
      '--schema <file>',
      'against these definitions: pg_dump --schema-only, mysqldump --no-data, a SQLite file; - reads standard input',
    )
    .addOption(
      new Option('--dialect <name>', 'what --schema is, where it cannot be told').choices([
        'postgresql',
        'mysql',
        'sqlite',
      ]),
    )
    .option('--resource <id>', 'of which resource, where the policy is for several')
    .option(
      '--sample-rows <number>',
      'look for personal data in what it keeps, in so many rows of each table; reads the whole backup',
      wholeNumber(0),
      0,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  pg_dump -s shop | holdfast policy check policies/shop.yaml --schema -\n  holdfast policy check shop',
    );
  contentOptions(check).action(async (policy: string, options: CheckOptions) => {
    const { checkPolicy } = await import('../policy/check-policy.ts');
    await checkPolicy(session, policy, options);
  });
  const preview = command
    .command('preview')
    .description('Show the first rows of a variant as its readers get them. Nothing is kept.')
    .argument('<resource>', 'whose backup: the newest one, unless said otherwise')
    .argument('<variant>', 'as the masking policy names it', variantName)
    .option('--table <name>', 'of this table, as the policy names it; may be repeated', gathered)
    .option('--rows <number>', 'of each table', wholeNumber(0), PREVIEWED_ROWS);
  contentOptions(preview).action(async (resourceId: string, variant: string, options: PreviewOptions) => {
    const { previewVariant } = await import('../policy/preview-variant.ts');
    await previewVariant(session, { resourceId, variant }, options);
  });
  command
    .command('schema')
    .description('Print the JSON schema of masking policies, for editors.')
    .action(() => printSchema(session));
}

function contentOptions(command: Command): Command {
  return command
    .option('--backup <id>', 'of this backup')
    .addOption(new Option('--format <name>', 'as this, where the backup can be several things').choices(FORMATS))
    .option('--database <name>', 'of a backup that holds several databases');
}

function variantName(text: string): string {
  if (VARIANT_NAME.test(text)) return text;
  throw new InvalidArgumentError('Write the name of a variant.');
}

function keyReference(text: string): string {
  if (/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/.test(text)) return text;
  throw new InvalidArgumentError('Write it as env:NAME or file:/path. The key itself is never an argument.');
}

async function printSchema(session: CommandSession): Promise<void> {
  const workshop = await session.composition.policyWorkshop({});
  await session.output.writePart(`${JSON.stringify(workshop.jsonSchema(), undefined, 2)}\n`);
}
