import type { ColumnSchema, ContentSchema, TableSchema } from '../src/downloads/content/content-schema.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import { compilePolicy, type PolicyCompilation } from '../src/downloads/policy/compile/compile-policy.ts';
import type { PolicyProblem } from '../src/downloads/policy/compile/policy-problem.ts';
import type { MaskingPolicy } from '../src/downloads/policy/masking-policy.ts';
import { POLICY_LANGUAGE } from '../src/downloads/policy/policy-language.ts';
import { readPolicy } from '../src/downloads/policy/read-policy.ts';
import { parsePredicate } from '../src/downloads/predicate/parse-predicate.ts';
import type { VariantPlan } from '../src/downloads/variant-plan.ts';

const HEAD = 'version: 1\nresource: shop\nkey: env:MASK_KEY\n';

/** A policy with the variant `masked`, and what else is written. */
export function policyOf(rest: string, variants = 'masked: { keep: full }'): MaskingPolicy {
  return readPolicy(`${HEAD}variants: { ${variants} }\n${rest}`, { name: 'shop.yaml', parsePredicate });
}

export function compiled(
  policy: MaskingPolicy | string,
  content: PolicyCompilation['content'],
  variant = 'masked',
): { plan?: VariantPlan; problems: readonly PolicyProblem[] } {
  const { plan, problems = [] } = compilePolicy({
    policy: typeof policy === 'string' ? policyOf(policy) : policy,
    variant,
    content,
    transformers: TRANSFORMERS,
    language: POLICY_LANGUAGE,
  });
  return plan === undefined ? { problems } : { plan, problems };
}

export function schemaOf(...tables: readonly TableSchema[]): ContentSchema {
  return { dialect: 'postgresql', tables };
}

export function table(
  name: string,
  columns: Readonly<Record<string, Partial<ColumnSchema>>>,
  rest: Partial<TableSchema> = {},
): TableSchema {
  return {
    name,
    columns: Object.entries(columns).map(([column, facts]) => ({
      name: column,
      type: 'text',
      family: 'text',
      isNullable: true,
      isGenerated: false,
      ...facts,
    })),
    uniqueKeys: [],
    foreignKeys: [],
    isPartitioned: false,
    ...rest,
  };
}

export const ID = { type: 'bigint', family: 'integer', isNullable: false } as const satisfies Partial<ColumnSchema>;

export const PRIMARY = { name: 'pk', columns: ['id'], isPrimary: true, isExpression: false };

export function unique(...columns: string[]) {
  return { name: `${columns.join('_')}_key`, columns, isPrimary: false, isExpression: false };
}

export function reference(column: string, target: string, targetColumn = 'id') {
  return { name: `${column}_fkey`, columns: [column], target, targetColumns: [targetColumn] };
}
