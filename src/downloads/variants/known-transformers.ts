import { folderTransformers } from '../masking/folder/folder-transformers.ts';
import type { Transformer } from '../masking/transformer.ts';
import { TRANSFORMERS } from '../masking/transformers.ts';

/** @param folder of files that transformers use, as an absolute path */
export function knownTransformers(folder: string | undefined): ReadonlyMap<string, Transformer> {
  const own = folderTransformers(folder).map((transformer) => [transformer.name, transformer] as const);
  return new Map([...TRANSFORMERS, ...own]);
}
