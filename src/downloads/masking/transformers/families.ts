import type { TypeFamily } from '../../content/content-schema.ts';

/** Families whose values are free text. */
export const TEXT: readonly TypeFamily[] = ['text'];
export const INTEGERS: readonly TypeFamily[] = ['integer', 'numeric'];
export const NUMBERS: readonly TypeFamily[] = ['integer', 'numeric', 'text'];
export const DATES: readonly TypeFamily[] = ['date', 'timestamp', 'text'];
