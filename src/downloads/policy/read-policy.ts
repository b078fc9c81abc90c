import type { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { nearestName } from '../../core/nearest-name.ts';
import type { Predicate } from '../predicate/predicate.ts';
import { FaultList } from './fault-list.ts';
import type { DomainPolicy, MaskingPolicy } from './masking-policy.ts';
import { type DomainForm, type PolicyFile, policySchema } from './policy-schema.ts';
import { transformerRule } from './read-rule.ts';
import { type PolicyReading, readDocument, readFiles, readTables } from './read-tables.ts';
import { readVariants } from './read-variants.ts';
import { knownKeysAt } from './schema-keys.ts';
import { readYamlText, type TextFault } from './yaml-text.ts';

export interface PolicyReadOptions {
  /** What the text is called in errors: the path of its file. */
  name: string;
  /** Reads the conditions in `unless` and `where`. @throws whatever, with a message for whoever wrote the policy */
  parsePredicate(text: string): Predicate;
}

/**
 * Reads the text of a masking policy. Nothing is looked at but the text: whether it fits any data is found by `compilePolicy`.
 *
 * @throws HoldfastError `masking-policy-invalid` (invalid); `details.faults` lists `{ line, column, message }`, and `details.resource` says whose
 * policy it would have been, where that can be told
 */
export function readPolicy(text: string, { name, parsePredicate }: PolicyReadOptions): MaskingPolicy {
  const yaml = readYamlText(text, (faults) => invalidPolicy(name, faults), isUnordered);
  const faults = new FaultList(yaml);
  const resource = resourceOf(yaml.value);
  const parsed = policySchema.safeParse(yaml.value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) addIssue(issue, [], faults);
    throw invalidPolicy(name, faults.faults, resource);
  }
  const policy = policyOf(parsed.data, faults, parsePredicate);
  if (faults.faults.length > 0) throw invalidPolicy(name, faults.faults, resource);
  return policy;
}

function policyOf(
  file: PolicyFile,
  faults: FaultList,
  parsePredicate: PolicyReadOptions['parsePredicate'],
): MaskingPolicy {
  const reading: PolicyReading = { faults, parsePredicate, domains: new Set(Object.keys(file.domains)) };
  const { tables, patterns } = readTables(file.tables, reading);
  const variants = readVariants(file.variants, reading);
  if (file.default !== undefined && !Object.hasOwn(file.variants, file.default)) {
    const near = nearestName(file.default, Object.keys(file.variants));
    faults.add(['default'], `no variant is called so${near === undefined ? '' : `. Did you mean \`${near}\`?`}`);
  }
  return {
    version: 1,
    resource: file.resource,
    key: file.key,
    epoch: String(file.epoch),
    ...(file.default === undefined ? {} : { defaultVariant: file.default }),
    variants,
    newTable: file.defaults.new_table,
    newColumn: file.defaults.new_column ?? 'null',
    domains: new Map(Object.entries(file.domains).map(([name, form]) => [name, domainOf(form)])),
    tables,
    tablePatterns: patterns,
    ...(file.document === undefined ? {} : { document: readDocument(file.document, ['document'], reading) }),
    files: readFiles(file.files, reading),
    detectors: file.checks.detectors,
  };
}

function domainOf(form: DomainForm): DomainPolicy {
  if (typeof form === 'string') return { rule: transformerRule(form, undefined), normalise: [] };
  const { transform, normalise = [], ...options } = form;
  return { rule: transformerRule(transform, options), normalise: [...new Set(normalise)] };
}

/** Tables and their columns are found by their names. */
function isUnordered([first, , third, ...more]: readonly (string | number)[]): boolean {
  return first === 'tables' && (third === undefined || (third === 'columns' && more.length === 0));
}

type Issue = z.core.$ZodIssue;

function addIssue(issue: Issue, around: readonly PropertyKey[], faults: FaultList): void {
  const path = [...around, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysAt(policySchema, path);
    for (const key of issue.keys) {
      if (faults.isFull) break;
      const near = nearestName(key, known);
      faults.add([...path, key], `is not known here.${near === undefined ? '' : ` Did you mean \`${near}\`?`}`);
    }
    return;
  }
  if (issue.code === 'invalid_key') {
    faults.add(path, issue.issues[0]?.message ?? issue.message);
    return;
  }
  // Of several forms, the one that was meant is that whose kind of value it is.
  const meant = issue.code === 'invalid_union' ? issue.errors.find((form) => form.every(isInside)) : undefined;
  if (meant === undefined || meant.length === 0) faults.add(path, sentenceOf(issue.message));
  else for (const inner of meant) addIssue(inner, path, faults);
}

function isInside(issue: Issue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'custom';
}

function sentenceOf(message: string): string {
  const kinds = /^Invalid input: expected (.*), received (.*)$/.exec(message);
  if (kinds?.[2] === 'undefined') return 'is missing';
  if (kinds?.[2] === 'null') return 'must not be empty';
  if (kinds !== null) return `must be ${kindOf(kinds[1])}, and is ${kindOf(kinds[2])}`;
  return message.replace(/^Invalid (?:input: expected|option: expected)/, 'must be');
}

/** A kind of values as YAML's writers know it. */
function kindOf(kind = ''): string {
  return KINDS.get(kind) ?? `of the kind ${kind}`;
}

const KINDS = new Map([
  ['record', 'entries by name'],
  ['object', 'entries by name'],
  ['array', 'a list'],
  ['string', 'text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
]);

/** Read before anything else is known to be right, so that a broken policy stops only the resources that it is for. */
function resourceOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('resource' in value)) return undefined;
  const resource = policySchema.shape.resource.safeParse(value.resource);
  return resource.success ? resource.data : undefined;
}

function invalidPolicy(name: string, faults: readonly TextFault[], resource?: string): HoldfastError {
  const [first] = faults;
  const more = faults.length > 1 ? ` ${faults.length - 1} more of its lines are wrong as well.` : '';
  const what = first === undefined ? '' : ` Line ${first.line}, column ${first.column}: ${first.message}`;
  return new HoldfastError(
    'invalid',
    'masking-policy-invalid',
    `The masking policy ${name} is not valid.${what}${more}`,
    {
      details: { policy: name, faults, ...(resource === undefined ? {} : { resource }) },
    },
  );
}
