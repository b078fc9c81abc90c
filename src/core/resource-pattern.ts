/** The id of a resource, or the beginning of ids followed by `*`. */
export const RESOURCE_PATTERN = /^([A-Za-z0-9._:@-]{1,200}|[A-Za-z0-9._:@-]{0,200}\*)$/;

/** Whether any of the patterns is the id of a resource, or its beginning and a `*`. */
export function coverResource(patterns: readonly string[], resourceId: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? resourceId.startsWith(pattern.slice(0, -1)) : pattern === resourceId,
  );
}
