import type { Transformer } from '../transformer.ts';
import { jsTransformer } from './js-transformer.ts';
import { lookupTransformer } from './lookup-transformer.ts';

/**
 * Transformers that use files of the operator's.
 * @param folder `downloads.transformers` of the configuration, as an absolute path; undefined where none is named, and for threads, whose options have it
 */
export function folderTransformers(folder: string | undefined): readonly Transformer[] {
  return [lookupTransformer(folder), jsTransformer(folder)];
}
