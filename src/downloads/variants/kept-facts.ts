import { HoldfastError } from '../../core/errors.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';

/**
 * What was kept with a content and can be read. Undefined where it is not there or is damaged: it is made again from the content itself, and
 * that only because of it nobody gets a variant helps nobody.
 */
export async function keptFacts<Facts>(
  content: VariantContent,
  name: string,
  signal: AbortSignal,
  parse: (bytes: AsyncIterable<Uint8Array>) => Promise<Facts | undefined>,
): Promise<Facts | undefined> {
  try {
    const kept = await content.sidecars?.read(name, signal);
    return kept === undefined ? undefined : await parse(kept);
  } catch (error) {
    signal.throwIfAborted();
    const isLost = error instanceof HoldfastError && (error.kind === 'damaged' || error.code === 'snapshot-missing');
    if (isLost) return undefined;
    throw error;
  }
}
