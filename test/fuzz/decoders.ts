import type { FuzzedDecoder } from './decoder.ts';
import { OBJECT_DECODERS } from './object-decoders.ts';
import { PACK_DECODERS } from './pack-decoders.ts';
import { TEXT_DECODERS } from './text-decoders.ts';
import { TREE_DECODERS } from './tree-decoders.ts';

/** Everything that reads stored bytes. */
export const DECODERS: readonly FuzzedDecoder[] = [
  ...PACK_DECODERS,
  ...OBJECT_DECODERS,
  ...TREE_DECODERS,
  ...TEXT_DECODERS,
];
