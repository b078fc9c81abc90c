import { readCanonicalText } from '../core/json-document.ts';

/** Objects are kept as JSON text. */
export function toText(value: unknown): string {
  return JSON.stringify(value);
}

/**
 * Reads a kept object again. Texts with escapes take the strict reader: this JavaScript engine's own can return a wrong
 * member name for them (nodejs/node issue 63785), and tags are named by users.
 */
export function fromText<Item>(text: string): Item {
  const value: unknown = text.includes('\\') ? readCanonicalText(Buffer.from(text)) : JSON.parse(text);
  return value as Item;
}
