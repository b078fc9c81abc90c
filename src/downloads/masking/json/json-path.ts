import parseQuery from 'jsonpath-rfc9535/parser';
import { HoldfastError } from '../../../core/errors.ts';

/** A path, step by step from the root. */
export type JsonPath = readonly JsonPathStep[];

export interface JsonPathStep {
  /** Names of members; undefined: any member and any element. */
  names?: readonly string[];
  /** Any number of levels may lie before it: `..name`. */
  isDescendant: boolean;
}

/** Longest path that is read, in characters, and in steps. */
export const LONGEST_JSON_PATH = 1000;
export const MOST_JSON_STEPS = 32;
/** Most paths that are followed at once. */
export const MOST_JSON_PATHS = 500;

/**
 * Reads the part of JSONPath (RFC 9535) that can be followed while text is read: `$`, `.name`, `['name']`, `['a','b']`, `[*]`, `.*`, `..name`, `..*`.
 * @throws HoldfastError `json-path-invalid` (invalid)
 */
export function parseJsonPath(text: string): JsonPath {
  if (text.length > LONGEST_JSON_PATH) throw fault(text, `is longer than ${LONGEST_JSON_PATH} characters`);
  const segments = segmentsOf(text);
  if (segments.length > MOST_JSON_STEPS) throw fault(text, `has more than ${MOST_JSON_STEPS} steps`);
  return segments.map(({ type, node }) => {
    const isDescendant = type === 'DescendantSegment';
    if (node.type === 'WildcardSelector') return { isDescendant };
    if (node.type === 'MemberNameShorthand') return { names: [node.value], isDescendant };
    const names = node.selectors.map((selector) => {
      if (selector.type === 'NameSelector') return selector.value;
      if (selector.type === 'WildcardSelector') return undefined;
      throw fault(text, 'selects by index, slice or filter, and only names and * can be followed');
    });
    const named = names.filter((name) => name !== undefined);
    return named.length < names.length ? { isDescendant } : { names: named, isDescendant };
  });
}

/**
 * Holds the paths of a plan, in their order, against all that they must be.
 * @throws HoldfastError `json-path-invalid` (invalid): one cannot be read, one can never count, or there are too many
 */
export function checkJsonPaths(paths: readonly string[]): void {
  if (paths.length > MOST_JSON_PATHS) {
    throw new HoldfastError('invalid', 'json-path-invalid', `There are more than ${MOST_JSON_PATHS} paths.`);
  }
  const found = findShadowedPath(paths.map(parseJsonPath));
  if (found === undefined) return;
  const [path, earlier] = [paths[found.shadowed] ?? '', paths[found.by] ?? ''];
  const message = `The path ${path} can never count, because ${earlier} stands before it and names all that it names: put it before ${earlier}.`;
  throw new HoldfastError('invalid', 'json-path-invalid', message);
}

/**
 * The first path that can never count because an earlier one names all that it names, or something around it.
 * Finds those whose steps say so, not every one that there is.
 */
export function findShadowedPath(paths: readonly JsonPath[]): { shadowed: number; by: number } | undefined {
  for (const [shadowed, path] of paths.entries()) {
    const by = paths.slice(0, shadowed).findIndex((earlier) => covers(earlier, path));
    if (by >= 0) return { shadowed, by };
  }
  return undefined;
}

/** Follows `outer` along the steps of `inner`; at a `..` of `inner` only what waits at a `..` itself goes on. */
function covers(outer: JsonPath, inner: JsonPath): boolean {
  let waiting = new Set([0]);
  if (outer.length === 0) return true;
  for (const symbol of inner) {
    const next = new Set<number>();
    for (const position of waiting) {
      const step = outer[position] as JsonPathStep;
      if (symbol.isDescendant && !step.isDescendant) continue;
      if (step.isDescendant) next.add(position);
      if (takesAll(step, symbol)) next.add(position + 1);
    }
    if (next.has(outer.length)) return true;
    if (next.size === 0) return false;
    waiting = next;
  }
  return false;
}

function takesAll(step: JsonPathStep, symbol: JsonPathStep): boolean {
  const { names } = step;
  return names === undefined || (symbol.names?.every((name) => names.includes(name)) ?? false);
}

function segmentsOf(text: string) {
  try {
    return parseQuery(text).segments;
  } catch {
    throw fault(text, 'is no JSONPath by RFC 9535');
  }
}

function fault(text: string, what: string): HoldfastError {
  const message = `The path ${JSON.stringify(text.slice(0, 100))} ${what}. Write it like $.customer.email, $.items[*].name or $..token.`;
  return new HoldfastError('invalid', 'json-path-invalid', message);
}
