/** The parts of a name such as `stats.dumpedfiles[0]`; undefined where it is none. */
export function parseFieldPath(text: string): readonly (string | number)[] | undefined {
  if (!/^[^.[\]]+(\[\d+\])*(\.[^.[\]]+(\[\d+\])*)*$/.test(text)) return undefined;
  return [...text.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? '') : Number(index),
  );
}

/**
 * What a document holds under a name. Members may be nested or have names with dots, as Elasticsearch takes both; a single value
 * counts as a list of one.
 */
export function fieldOf(document: unknown, path: readonly (string | number)[]): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return document;
  if (typeof first === 'number') {
    if (Array.isArray(document)) return fieldOf(document[first], rest);
    return first === 0 ? fieldOf(document, rest) : undefined;
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return undefined;
  for (let length = 1; length <= path.length; length++) {
    const parts = path.slice(0, length);
    if (parts.some((part) => typeof part === 'number')) break;
    const name = parts.join('.');
    if (!Object.hasOwn(document, name)) continue;
    const value = fieldOf((document as Record<string, unknown>)[name], path.slice(length));
    if (value !== undefined) return value;
  }
  return undefined;
}
