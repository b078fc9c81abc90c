import { z } from 'zod';
import { policySchema } from './policy-schema.ts';

/** The JSON Schema (draft 2020-12) of a policy's file, for editors. */
export function jsonSchemaOfPolicy(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(policySchema, { io: 'input', unrepresentable: 'any' }),
    title: 'Masking policy of Holdfast',
  };
}
