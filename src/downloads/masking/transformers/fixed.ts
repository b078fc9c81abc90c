import { z } from 'zod';
import type { TypeFamily } from '../../content/content-schema.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';

export const nullTransformer: Transformer<Record<string, never>> = {
  name: 'null',
  description: 'NULL in place of every value.',
  options: z.strictObject({}),
  facts: () => ({ accepts: 'all', isInjective: false, mayGiveNull: true, maxLength: 0, isTraceable: false }),
  create: () => () => null,
};

interface ConstOptions extends Record<string, unknown> {
  value: string | number | boolean;
}

export const constTransformer: Transformer<ConstOptions> = {
  name: 'const',
  description:
    'The same value in place of every value that is not NULL: the hash of a password that developers know, say.',
  options: z.strictObject({ value: z.union([z.string(), z.number(), z.boolean()]) }),
  shorthand: 'value',
  facts: ({ value }) => ({
    accepts: 'all',
    isInjective: false,
    mayGiveNull: false,
    maxLength: [...String(value)].length,
    isTraceable: false,
  }),
  create: ({ value }) => {
    const text = String(value);
    return () => text;
  },
};

/** The value of each family that says least. */
const EMPTY: Partial<Record<TypeFamily, string>> = {
  text: '',
  integer: '0',
  numeric: '0',
  boolean: '0',
  date: '1970-01-01',
  timestamp: '1970-01-01 00:00:00',
  time: '00:00:00',
  interval: '00:00:00',
  uuid: '00000000-0000-0000-0000-000000000000',
  json: '{}',
  bytes: '\\x',
  array: '{}',
  hstore: '',
  inet: '0.0.0.0',
  mac: '00:00:00:00:00:00',
  search: '',
};

export const defaultTransformer: Transformer<Record<string, never>> = {
  name: 'default',
  description:
    'The empty value of the type: an empty text, 0, false, 1970-01-01, {}, the first label of an enumeration.',
  options: z.strictObject({}),
  facts: (_options, column) => {
    const value = emptyOf(column);
    return {
      accepts: value === undefined ? [] : [column.family],
      isInjective: false,
      mayGiveNull: false,
      maxLength: [...(value ?? '')].length,
      isTraceable: false,
    };
  },
  create: (_options, { column }) => {
    const value = emptyOf(column);
    if (value === undefined) throw new RangeError('No value is known to be the empty one of this type.');
    return () => value;
  },
};

/** Undefined where none is known. */
export function emptyOf(column: ColumnFacts): string | undefined {
  return column.allowedValues?.[0] ?? EMPTY[column.family];
}
