import type { z } from 'zod';

/** The names of what an object at a path in a schema may have; of all its forms, where it has several. */
export function knownKeysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown[] = forms(schema);
  for (const step of path) at = at.flatMap((form) => forms(memberOf(form, step)));
  return at.flatMap((form) => Object.keys(shapeOf(form) ?? {}));
}

function memberOf(form: unknown, step: PropertyKey): unknown {
  const shape = shapeOf(form);
  if (shape !== undefined) return typeof step === 'string' && Object.hasOwn(shape, step) ? shape[step] : undefined;
  if (!isObject(form)) return undefined;
  return 'valueType' in form ? form.valueType : 'element' in form ? form.element : undefined;
}

/** What is behind defaults, options and unions. */
function forms(schema: unknown): unknown[] {
  if (!isObject(schema)) return [];
  if (Array.isArray(schema.options)) return schema.options.flatMap(forms);
  if ('unwrap' in schema && typeof schema.unwrap === 'function' && !('element' in schema))
    return forms(schema.unwrap());
  return [schema];
}

function shapeOf(form: unknown): Record<string, unknown> | undefined {
  return isObject(form) && isObject(form.shape) ? form.shape : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
