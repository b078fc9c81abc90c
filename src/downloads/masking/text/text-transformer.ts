import { z } from 'zod';
import type { Transformer } from '../transformer.ts';
import { findPersonal } from './personal-text.ts';
import { PERSONAL_KINDS, type TextSpan } from './text-span.ts';

const options = z.strictObject({
  /** What is replaced; by default all kinds. */
  scrub: z
    .array(z.enum(PERSONAL_KINDS))
    .min(1)
    .default([...PERSONAL_KINDS]),
  /** Characters that remain at most. By default as many as the column takes. */
  max: z.int().min(1).optional(),
});

/** `text`: free text with addresses and numbers of persons replaced by what they were: `[email]`. */
export const textTransformer: Transformer<z.infer<typeof options>> = {
  name: 'text',
  description:
    'Replaces addresses of e-mail and of the web, telephones, cards, IBANs and IP addresses within free text by [email], [url] and so on. It does not find names of persons.',
  options,
  shorthand: 'scrub',
  facts: ({ max }, column) => ({
    accepts: ['text'],
    isInjective: false,
    mayGiveNull: false,
    maxLength: max ?? column.maxLength,
    // Text without anything to find stays as it is.
    isTraceable: false,
  }),
  create: ({ scrub, max }, { column }) => {
    const most = max ?? column.maxLength ?? Number.POSITIVE_INFINITY;
    return (value) => cut(scrubbed(value, findPersonal(value, scrub)), most);
  },
};

function scrubbed(text: string, spans: readonly TextSpan[]): string {
  if (spans.length === 0) return text;
  let result = '';
  let from = 0;
  for (const { kind, start, end } of spans) {
    result += `${text.slice(from, start)}[${kind}]`;
    from = end;
  }
  return result + text.slice(from);
}

/** @param most in code points, as databases count characters */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  let at = 0;
  for (let count = 0; count < most && at < text.length; count++) {
    at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}
