import path from 'node:path';
import { z } from 'zod';
import type { HookConfiguration } from '../core/hook-configuration.ts';

const text = z.string().refine((value) => !value.includes('\0'), 'must not hold a zero character');
const program = text.refine(
  (value) => value !== '' && (path.isAbsolute(value) || !value.includes('/')),
  'begins with a program: an absolute path, or a name that is found on PATH',
);
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'names of variables are letters, digits and underscores')
  .refine((name) => !name.startsWith('HOLDFAST_'), 'names that begin with HOLDFAST_ are set by Holdfast');

/** One command of `hooks` in `holdfast.yaml`; docs/hooks.md tells what it is given and what becomes of it. */
export const hookSchema = z
  .strictObject({
    when: z.enum(['before-backup', 'after-backup', 'before-restore', 'after-restore']),
    resources: z
      .array(z.string().regex(/^[^*]+\*?$|^\*$/, 'an id, or the beginning of ids and a `*` at the end'))
      .min(1)
      .default(['*']),
    command: z.tuple([program], text),
    timeoutSeconds: z.number().int().min(1).max(86_400).default(300),
    environment: z.record(variable, text).default({}),
    onFailure: z.enum(['fail', 'warn']).optional(),
  })
  .refine(({ when, onFailure }) => onFailure !== 'fail' || when.startsWith('before-'), {
    path: ['onFailure'],
    error: 'what a hook comes after has ended already: its failure can only warn',
  });

export function hookOf({ onFailure, ...hook }: z.infer<typeof hookSchema>): HookConfiguration {
  return { ...hook, onFailure: onFailure ?? (hook.when.startsWith('before-') ? 'fail' : 'warn') };
}
