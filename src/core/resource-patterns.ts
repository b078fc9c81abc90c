/** Whether an id is one of some ids, or begins as one of some patterns ending in `*` do: `shop-*`. */
export function matchesAny(patterns: readonly string[], resourceId: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? resourceId.startsWith(pattern.slice(0, -1)) : pattern === resourceId,
  );
}
