import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { HoldfastError, messageOf, systemErrorCode } from '../../../core/errors.ts';
import type {
  CheckedVariant,
  FoundProblem,
  GivenSchema,
  PolicyCheck,
  PolicyDrift,
  PolicyWorkshop,
  ReadablePolicy,
} from '../../../core/ports/policy-workshop.ts';
import type { VariantContent } from '../../../core/ports/variant-maker.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { count } from '../formatting.ts';
import { type ContentOptions, chosenContent } from './chosen-content.ts';

export interface CheckOptions extends ContentOptions {
  schema?: string;
  dialect?: NonNullable<GivenSchema['dialect']>;
  resource?: string;
  sampleRows: number;
}

/** What a policy is held against. */
interface Subject {
  title: string;
  snapshotId?: string;
  content: VariantContent | GivenSchema;
  earlier?: AsyncIterable<VariantContent>;
}

export async function checkPolicy(session: CommandSession, place: string, options: CheckOptions): Promise<void> {
  requireFitting(options);
  const workshop = await session.composition.policyWorkshop(await session.configuration({ logLevel: 'silent' }));
  const policy = await readPolicy(workshop, place).catch((error: unknown) => tellFaults(session, place, error));
  if (policy === undefined) return;
  const subject = await subjectOf(session, { place, policy }, options);
  const checked = await policy.check(
    subject.content,
    { earlier: subject.earlier, sampledRows: options.sampleRows },
    session.signal,
  );
  const fits = checked.variants.every(({ problems }) => problems.length === 0);
  if (!fits) session.exitCode = ExitCode.policyUnfit;
  const { file, resource } = policy;
  const { snapshotId } = subject;
  session.output.result(
    { policy: file, resource, ...(snapshotId === undefined ? {} : { snapshotId }), fits, ...checked },
    () => checkLines(policy, subject, checked),
  );
}

function requireFitting({ schema, dialect, backup, format, database, resource, sampleRows }: CheckOptions): void {
  if (schema !== undefined && sampleRows > 0)
    throw usageError(
      'schema-and-rows',
      'Definitions have no rows to look at: --schema and --sample-rows exclude each other.',
    );
  if (schema === undefined && dialect !== undefined)
    throw usageError('dialect-without-schema', '--dialect tells what --schema is.');
  const others = Object.entries({ backup, format, database, resource }).filter(([, value]) => value !== undefined);
  if (schema !== undefined && others[0] !== undefined)
    throw usageError('schema-and-backup', `--schema and --${others[0][0]} exclude each other.`);
}

async function readPolicy(workshop: PolicyWorkshop, place: string): Promise<ReadablePolicy> {
  const isFile =
    /[/\\]|\.ya?ml$/.test(place) ||
    (await stat(place).then(
      (facts) => facts.isFile(),
      () => false,
    ));
  if (!isFile) return workshop.policy({ resourceId: place });
  return workshop.policy({ name: place, text: await textOf(place) });
}

async function textOf(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const what = systemErrorCode(error) === 'ENOENT' ? 'it is not there' : messageOf(error);
    const message = `The masking policy ${file} cannot be read: ${what}. Name a file, or a resource that has a policy.`;
    throw new HoldfastError('invalid', 'masking-policy-unreadable', message);
  }
}

/** Tells each line in which a policy is wrong. @throws all other errors */
function tellFaults(session: CommandSession, place: string, error: unknown): undefined {
  if (!(error instanceof HoldfastError) || error.code !== 'masking-policy-invalid') throw error;
  session.failureExitCode = ExitCode.policyUnfit;
  const { faults, policy } = error.details;
  if (!Array.isArray(faults)) throw error;
  const file = typeof policy === 'string' ? policy : place;
  session.exitCode = ExitCode.policyUnfit;
  session.output.result({ policy: file, fits: false, faults }, () => [
    `${printable(file)} is not valid:`,
    ...faults.map(({ line, column, message }: Fault) => `  line ${line}, column ${column}: ${printable(message)}`),
  ]);
}

interface Fault {
  line: number;
  column: number;
  message: string;
}

async function subjectOf(
  session: CommandSession,
  { place, policy }: { place: string; policy: ReadablePolicy },
  options: CheckOptions,
): Promise<Subject> {
  if (options.schema !== undefined) return givenSubject(options.schema, options);
  const named = policy.file === place ? policy.resource : place;
  const resourceId = options.resource ?? named;
  if (resourceId.endsWith('*')) {
    const message = `The policy is for all resources ${resourceId}. Say against whose backup it is to be held: --resource ID.`;
    throw usageError('resource-missing', message);
  }
  const { content, earlier } = await chosenContent(session, resourceId, options);
  const { snapshotId } = content;
  return { title: `${snapshotId} of ${resourceId}`, snapshotId, content, earlier };
}

function givenSubject(file: string, { dialect }: CheckOptions): Subject {
  const name = file === '-' ? 'standard input' : file;
  const bytes = file === '-' ? process.stdin : readable(file);
  return { title: name, content: { name, bytes, ...(dialect === undefined ? {} : { dialect }) } };
}

async function* readable(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw new HoldfastError(
      'invalid',
      'given-schema-unreadable',
      `The definitions ${file} cannot be read: ${messageOf(error)}.`,
    );
  }
}

function checkLines({ file }: ReadablePolicy, { title }: Subject, { variants, drift }: PolicyCheck): string[] {
  const shared = problemsOf(variants);
  return [
    `${printable(file)}, held against ${printable(title)}:`,
    ...variants.map(({ name, kind, problems }) => `  ${name} (${kind}): ${stateOf(problems)}`),
    ...[...shared.values()].flatMap(({ problem, names }) =>
      problemLines(problem, names.length === variants.length ? [] : names),
    ),
    ...driftLines(drift),
  ];
}

function stateOf(problems: readonly FoundProblem[]): string {
  return problems.length === 0 ? 'fits' : count(problems.length, 'problem');
}

/** Most problems are those of all variants. */
function problemsOf(variants: readonly CheckedVariant[]) {
  const found = new Map<string, { problem: FoundProblem; names: string[] }>();
  for (const { name, problems } of variants)
    for (const problem of problems) {
      const id = JSON.stringify(problem);
      const known = found.get(id) ?? { problem, names: [] };
      known.names.push(name);
      found.set(id, known);
    }
  return found;
}

function problemLines({ code, message, suggestion }: FoundProblem, names: readonly string[]): string[] {
  const only = names.length === 0 ? '' : `, ${names.join(', ')} only`;
  return ['', `${printable(message)} [${code}${only}]`, `  ${printable(suggestion)}`];
}

function driftLines(drift: PolicyDrift | undefined): string[] {
  if (drift === undefined) return [];
  const since = `${drift.snapshotId}${drift.wasGood ? ', which the policy fits' : ''}`;
  if (drift.changes.length === 0) return ['', `Nothing has changed since ${since}.`];
  return ['', `Changed since ${since}:`, ...drift.changes.map(({ message }) => `  ${printable(message)}`)];
}
