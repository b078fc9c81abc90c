import { HoldfastError } from '../../../core/errors.ts';
import type { JsonPlan } from '../../variant-plan.ts';
import { looksPersonal } from '../text/personal-text.ts';
import type { RowValues } from '../transformer.ts';
import { type JsonPath, parseJsonPath } from './json-path.ts';
import { type JsonFate, JsonRewriter, JsonTextError, type ScalarKind } from './json-rewriter.ts';
import { PathAutomaton } from './path-automaton.ts';
import { type InnerRule, ScalarRule } from './scalar-rule.ts';

/** Masks JSON text by a plan. What is not replaced stays as it is written. */
export class JsonMasker {
  readonly #plan: JsonPlan;
  readonly #rewriter: JsonRewriter;
  readonly #rules: readonly ScalarRule[];
  readonly #names: PersonalNames;
  #row: RowValues = NO_ROW;

  /** @param inner makes the functions of the plan's rules */
  constructor(plan: JsonPlan, inner: InnerRule) {
    const paths = plan.paths.map(({ path }) => parseJsonPath(path));
    this.#plan = plan;
    this.#rules = plan.paths.map(({ rule }) => new ScalarRule(rule, inner));
    this.#names = new PersonalNames(plan.names ?? 'redact', paths);
    this.#rewriter = new JsonRewriter({
      paths: new PathAutomaton(paths),
      fates: [...plan.paths.map(({ rule }) => fateOf(rule.transformer)), unknownFate(plan.unknown)],
      scalar: (kind, raw, path) => this.#scalar(kind, raw, path),
      name: (raw, ordinal) => this.#names.replacement(raw, ordinal),
    });
  }

  /**
   * @returns null where the text is no JSON and the plan says so
   * @throws HoldfastError `variant-failed` (invalid), without any of the text; and whatever a rule throws
   */
  mask(text: string, row: RowValues = NO_ROW): string | null {
    this.#row = row;
    try {
      return this.#rewriter.rewrite(text);
    } catch (error) {
      if (!(error instanceof JsonTextError)) throw error;
      if (this.#plan.onInvalid === 'null') return null;
      throw failed(
        `A value that should be JSON is none. ${error.message} Use on_invalid: null to make such values NULL.`,
      );
    }
  }

  /** Begins a document that comes in pieces. */
  begin(): void {
    this.#rewriter.begin();
  }

  /** The next piece of the document. @throws as `mask` does; invalid text always fails */
  push(text: string, isLast: boolean): string {
    try {
      return this.#rewriter.push(text, isLast);
    } catch (error) {
      if (!(error instanceof JsonTextError)) throw error;
      throw failed(`The document is no valid JSON, or holds a string that is too long. ${error.message}`);
    }
  }

  #scalar(kind: ScalarKind, raw: string, path: number): string {
    const rule = this.#rules[path];
    if (rule !== undefined) return rule.changed(kind, raw, this.#row);
    throw failed('There is a scalar in JSON that no path names. Name it, or use unknown: redact.');
  }
}

/** Of rules inside of documents, which have no rows. */
export const NO_ROW: RowValues = {
  original: () => noRow(),
  masked: () => noRow(),
};

function noRow(): never {
  throw failed('A rule inside of JSON reads a column of a row.');
}

/** Names of members are data too. */
class PersonalNames {
  readonly #fate: NonNullable<JsonPlan['names']>;
  /** Those that the policy itself names. */
  readonly #known: ReadonlySet<string>;
  readonly #verdicts = new Map<string, boolean>();

  constructor(fate: NonNullable<JsonPlan['names']>, paths: readonly JsonPath[]) {
    this.#fate = fate;
    this.#known = new Set(paths.flatMap((path) => path.flatMap(({ names }) => names ?? [])));
  }

  replacement(raw: string, ordinal: number): string | undefined {
    if (this.#fate === 'keep' || !this.#isPersonal(raw)) return undefined;
    if (this.#fate === 'redact') return ordinal === 0 ? '"[redacted]"' : `"[redacted ${ordinal + 1}]"`;
    throw failed('The name of a member of JSON looks personal and no path names it. Name it, or use names: redact.');
  }

  #isPersonal(raw: string): boolean {
    const known = this.#verdicts.get(raw);
    if (known !== undefined) return known;
    const name: string = JSON.parse(raw);
    const verdict = !this.#known.has(name) && looksPersonal(name);
    if (this.#verdicts.size >= MOST_VERDICTS) this.#verdicts.clear();
    if (raw.length <= LONGEST_REMEMBERED) this.#verdicts.set(raw, verdict);
    return verdict;
  }
}

function fateOf(transformer: string): JsonFate {
  if (transformer === 'keep') return 'keep';
  return transformer === 'null' ? 'null-whole' : 'change';
}

function unknownFate(unknown: JsonPlan['unknown']): JsonFate {
  return unknown === 'fail' ? 'change' : unknown;
}

function failed(message: string): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message);
}

const MOST_VERDICTS = 10_000;
const LONGEST_REMEMBERED = 200;
