import { HoldfastError } from '../../../core/errors.ts';
import type { JsonPlan } from '../../variant-plan.ts';
import { innerRules } from '../inner-rules.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../row-format.ts';
import type { TableMasker } from '../table-masker.ts';
import { JsonMasker } from './json-masker.ts';
import type { InnerRule } from './scalar-rule.ts';

/** What the format must know, in `RowSource.options`. */
export interface JsonPiecesOptions extends Record<string, unknown> {
  json: JsonPlan;
  /** `MaskingRun.key`. */
  key: Uint8Array;
}

/** JSON documents, one after another, as blocks that are cut anywhere, all in one thread; an empty block ends a document. */
export function createJsonPieces({ options }: RowSource, table: TableMasker): RowFormat {
  const { json, key } = options as JsonPiecesOptions;
  return new JsonPieces(json, innerRules(key, table.probe));
}

class JsonPieces implements RowFormat {
  readonly #masker: JsonMasker;
  #decoder = newDecoder();

  constructor(json: JsonPlan, inner: InnerRule) {
    this.#masker = new JsonMasker(json, inner);
    this.#masker.begin();
  }

  mask(block: Buffer): MaskedBlock {
    const isLast = block.length === 0;
    const text = this.#masker.push(this.#decoded(block, isLast), isLast);
    const rows = isLast ? 1 : 0;
    if (isLast) this.#begin();
    return { bytes: new TextEncoder().encode(text), rowsIn: rows, rowsOut: rows };
  }

  #begin(): void {
    this.#decoder = newDecoder();
    this.#masker.begin();
  }

  #decoded(block: Buffer, isLast: boolean): string {
    try {
      return this.#decoder.decode(block, { stream: !isLast });
    } catch {
      throw new HoldfastError('invalid', 'variant-failed', 'The document is not in UTF-8, which JSON must be.');
    }
  }
}

function newDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
}
