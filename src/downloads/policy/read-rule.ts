import type { ColumnPolicy, RulePolicy, TransformerRule } from './masking-policy.ts';

/**
 * A rule in any of its forms: null, a name, `{ domain: name }`, `{ transformer: options }`.
 *
 * @param domains names that are domains rather than transformers
 * @throws Error that says what a rule looks like
 */
export function readRule(form: unknown, domains: ReadonlySet<string>): RulePolicy {
  if (form === null) return { kind: 'transformer', transformer: 'null' };
  if (typeof form === 'string') {
    if (domains.has(form)) return { kind: 'domain', domain: form };
    return { kind: 'transformer', transformer: form };
  }
  if (typeof form !== 'object' || Array.isArray(form)) throw new Error(RULE_FORMS);
  const members = Object.entries(form);
  const [member] = members;
  if (member === undefined || members.length > 1) throw new Error(RULE_FORMS);
  const [name, options] = member;
  if (name === 'domain') {
    if (typeof options !== 'string') throw new Error('`domain` is followed by the name of one');
    if (!domains.has(options)) throw new Error(`there is no domain \`${options}\` in \`domains\``);
    return { kind: 'domain', domain: options };
  }
  if (domains.has(name))
    throw new Error(`\`${name}\` is a domain, whose options stand in \`domains\`: write its name alone`);
  return transformerRule(name, options);
}

/** @throws Error as `readRule` does */
export function readColumn(form: unknown, domains: ReadonlySet<string>): ColumnPolicy {
  if (form === 'generated') return { rule: { kind: 'generated' } };
  if (typeof form !== 'object' || form === null || !Object.hasOwn(form, 'rule'))
    return { rule: readRule(form, domains) };
  const { rule, type, allow_uniqueness_loss, allow_detected } = form as Record<string, unknown>;
  return {
    rule: rule === 'generated' ? { kind: 'generated' } : readRule(rule, domains),
    ...(typeof type === 'string' ? { type: normalType(type) } : {}),
    ...(typeof allow_uniqueness_loss === 'string' ? { allowUniquenessLoss: allow_uniqueness_loss } : {}),
    ...(typeof allow_detected === 'string' ? { allowDetected: allow_detected } : {}),
  };
}

/** No options at all, `{}` and nothing behind the colon are the same. */
export function transformerRule(transformer: string, options: unknown): TransformerRule {
  const isEmpty =
    options === null || (typeof options === 'object' && options !== null && Object.keys(options).length === 0);
  return { kind: 'transformer', transformer, ...(isEmpty || options === undefined ? {} : { options }) };
}

/** A type however it is spaced: `VARCHAR( 200 )` is `varchar(200)`. */
export function normalType(type: string): string {
  return type
    .trim()
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/\s*([(,])\s*/g, '$1')
    .replaceAll(' )', ')');
}

const RULE_FORMS =
  'a rule is `keep`, the name of a transformer or domain, null, or one transformer with its options such as `{ const: x }`';
