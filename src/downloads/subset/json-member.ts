/** The text of a scalar within JSON, numbers as they are written; null where there is none. */
export function jsonMember(text: string, path: readonly string[]): string | null {
  let found: unknown;
  try {
    found = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && context?.source !== undefined ? new WrittenNumber(context.source) : value,
    );
  } catch {
    return null;
  }
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return null;
    found = (found as Record<string, unknown>)[name];
  }
  if (found instanceof WrittenNumber) return found.text;
  return typeof found === 'string' || typeof found === 'boolean' ? String(found) : null;
}

class WrittenNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
