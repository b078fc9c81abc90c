import { RAW_VARIANT } from './download.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';

/** What a resource's policy declares, in its order; nothing where no policies are known here. Nothing but the data itself is called raw. */
export async function declaredVariants(
  { variantMaker }: Pick<ManagerContext, 'variantMaker'>,
  resourceId: string,
): Promise<readonly DeclaredVariant[]> {
  const declared = (await variantMaker?.declared(resourceId)) ?? [];
  return declared.filter(({ name }) => name !== RAW_VARIANT);
}

/** The one of this name. Of a policy that cannot be read nobody knows that it has none. */
export function declaredVariant(declared: readonly DeclaredVariant[], name: string): DeclaredVariant | undefined {
  if (name === RAW_VARIANT) return undefined;
  const [standing] = declared.filter(({ standsForAll }) => standsForAll);
  return standing === undefined ? declared.find((each) => each.name === name) : { ...standing, name };
}
