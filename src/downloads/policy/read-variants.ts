import { nearestName } from '../../core/nearest-name.ts';
import type { VariantPolicy } from './masking-policy.ts';
import type { VariantForm } from './policy-schema.ts';
import { readSubset } from './read-subset.ts';
import type { PolicyReading } from './read-tables.ts';

/** The variants with what each takes from the one that it extends. */
export function readVariants(
  forms: Readonly<Record<string, VariantForm>>,
  reading: PolicyReading,
): Map<string, VariantPolicy> {
  const variants = new Map<string, VariantPolicy>();
  for (const name of Object.keys(forms)) {
    const whole = extended(name, forms, reading);
    if (whole === undefined) continue;
    const { keep, subset, produce, verify, subsetOf } = whole;
    const path = ['variants', name];
    if (keep === undefined && subset === undefined)
      reading.faults.add(path, 'says neither `keep: full` nor which `subset` of the rows it has');
    if (subset === undefined && produce === 'keys-ahead')
      reading.faults.add(
        [...path, 'produce'],
        'cannot be `keys-ahead` where all rows are given: nothing is chosen by keys',
      );
    variants.set(name, {
      name,
      kind: subset === undefined ? 'masked' : 'reduced',
      ...(subset === undefined
        ? {}
        : {
            subset: readSubset(
              subset,
              ['variants', subsetOf ?? name, 'subset'],
              reading.faults,
              reading.parsePredicate,
            ),
          }),
      produce: produce ?? (subset === undefined ? 'on-demand' : 'ahead'),
      verifiesByLoading: verify === 'load',
    });
  }
  return variants;
}

/** `subsetOf`: the variant whose subset it is. */
type WholeForm = VariantForm & { subsetOf?: string };

function extended(
  name: string,
  forms: Readonly<Record<string, VariantForm>>,
  { faults }: PolicyReading,
): WholeForm | undefined {
  let whole: WholeForm = {};
  const seen = new Set<string>();
  for (let at: string | undefined = name; at !== undefined; ) {
    const form: VariantForm | undefined = Object.hasOwn(forms, at) ? forms[at] : undefined;
    if (form === undefined || seen.has(at)) {
      const near = nearestName(at, Object.keys(forms));
      const message = seen.has(at)
        ? 'extends itself in a circle'
        : `extends \`${at}\`, which is not declared.${near === undefined ? '' : ` Did you mean \`${near}\`?`}`;
      faults.add(['variants', name, 'extends'], message);
      return undefined;
    }
    seen.add(at);
    if (form.keep !== undefined && form.subset !== undefined)
      faults.add(['variants', at, 'keep'], 'does not go with `subset`: it has all rows or some of them');
    // The nearest that says which rows decides.
    const saysRows = whole.keep !== undefined || whole.subset !== undefined;
    const { keep, subset, ...rest } = form;
    whole = { ...rest, ...whole };
    if (!saysRows && subset !== undefined) whole = { ...whole, subset, subsetOf: at };
    else if (!saysRows && keep !== undefined) whole = { ...whole, keep };
    at = form.extends;
  }
  return whole;
}
