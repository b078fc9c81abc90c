import type { z } from 'zod';
import { HoldfastError } from './errors.ts';
import { plainIssue } from './plain-issue.ts';

/**
 * Validates what somebody set for a service.
 * @param kind a word for the service's resources: `sqlite`
 * @param advice a sentence that says what there is to set
 * @throws HoldfastError `configuration-invalid` naming the field
 */
export function parseConfiguration<Schema extends z.ZodType>(
  schema: Schema,
  configuration: unknown,
  { kind, advice }: { kind: string; advice: string },
): z.output<Schema> {
  return parsed(schema, configuration, {
    code: 'configuration-invalid',
    whole: 'The configuration',
    verb: 'is',
    of: `a \`${kind}\` resource`,
    advice,
  });
}

/**
 * Validates the options of a restore.
 * @throws HoldfastError `options-invalid` naming the field
 */
export function parseRestoreFields<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  advice: string,
): z.output<Schema> {
  const wording = { code: 'options-invalid', whole: 'The options', verb: 'are', of: 'this restore', advice };
  return parsed(schema, options, wording);
}

interface Wording {
  code: string;
  /** What is wrong where no field is. */
  whole: string;
  verb: string;
  of: string;
  advice: string;
}

function parsed<Schema extends z.ZodType>(schema: Schema, given: unknown, wording: Wording): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const { issues } = result.error;
  // A misspelled setting is missing as well: its own name is what helps.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const field = issue?.path.join('.') ?? '';
  const where = field === '' ? wording.whole : `\`${field}\``;
  const verb = field === '' ? wording.verb : 'is';
  throw new HoldfastError(
    'invalid',
    wording.code,
    `${where} of ${wording.of} ${verb} not valid: ${plainIssue(issue?.message ?? 'unknown')}. ${wording.advice}`,
    { details: { field } },
  );
}
