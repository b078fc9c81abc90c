import { z } from 'zod';
import { BASE32_LENGTH, base32, Pseudonyms } from '../pseudonym.ts';
import type { RowValues, Transformer } from '../transformer.ts';
import { codeFacts } from './codes.ts';
import { TEXT } from './families.ts';

interface TemplateOptions extends Record<string, unknown> {
  text: string;
}

type Part = string | { column: string; form: Form };
type Form = 'as-is' | 'lower' | 'upper' | 'plain';

const TOKEN = '$token';
const FORMS = ['lower', 'upper', 'plain'] as const;

export const template: Transformer<TemplateOptions> = {
  name: 'template',
  description:
    'Text with `{column}` for other columns as they are masked (`{column|lower}`, `|upper`, `|plain`: small letters and digits alone) and `{$token}` for a keyed hash of the value itself. `{{` is a brace.',
  options: z.strictObject({
    text: z
      .string()
      .max(4000)
      .refine((text) => partsOf(text) !== undefined, { message: 'has a brace that is not closed, or an unknown form' }),
  }),
  shorthand: 'text',
  facts: ({ text }) => {
    const parts = partsOf(text) ?? [];
    const columns = columnsOf(parts);
    const hasToken = parts.some((part) => typeof part !== 'string' && part.column === TOKEN);
    return {
      accepts: TEXT,
      ...codeFacts(hasToken ? 128 : 0),
      // Of a leak it could be said only of what it writes itself.
      isTraceable: false,
      ...(columns.length === 0 ? { maxLength: constantLength(parts) } : { reads: { masked: columns } }),
    };
  },
  create: ({ text }, { key, indexOf }) => {
    const pseudonyms = new Pseudonyms(key);
    const writers = (partsOf(text) ?? []).map((part): ((value: string, row: RowValues) => string) => {
      if (typeof part === 'string') return () => part;
      const form = part.form;
      if (part.column === TOKEN) return (value) => formed(base32(pseudonyms.of(value)), form);
      const index = indexOf(part.column);
      return (_value, row) => formed(row.masked(index) ?? '', form);
    });
    return (value, row) => {
      let result = '';
      for (const write of writers) result += write(value, row);
      return result;
    };
  },
};

function columnsOf(parts: readonly Part[]): string[] {
  const columns = parts.flatMap((part) => (typeof part === 'string' || part.column === TOKEN ? [] : [part.column]));
  return [...new Set(columns)];
}

function constantLength(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + (typeof part === 'string' ? [...part].length : BASE32_LENGTH), 0);
}

/** Undefined for what is no template. */
function partsOf(text: string): Part[] | undefined {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if ((character === '{' || character === '}') && text.charAt(at + 1) === character) {
      literal += character;
      at++;
    } else if (character === '}') {
      return undefined;
    } else if (character === '{') {
      const end = text.indexOf('}', at);
      const part = end < 0 ? undefined : placeholder(text.slice(at + 1, end));
      if (part === undefined) return undefined;
      parts.push(literal, part);
      literal = '';
      at = end;
    } else {
      literal += character;
    }
  }
  parts.push(literal);
  return parts.filter((part) => part !== '');
}

function placeholder(text: string): Part | undefined {
  const bar = text.lastIndexOf('|');
  const column = bar < 0 ? text : text.slice(0, bar);
  const form = bar < 0 ? 'as-is' : FORMS.find((known) => known === text.slice(bar + 1));
  return form === undefined || column === '' ? undefined : { column, form };
}

function formed(text: string, form: Form): string {
  if (form === 'lower') return text.toLowerCase();
  if (form === 'upper') return text.toUpperCase();
  return form === 'plain' ? text.toLowerCase().replace(/[^a-z0-9]/g, '') : text;
}
