import { isUtf8 } from 'node:buffer';
import { innerRules } from '../inner-rules.ts';
import { RowFault } from '../row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../row-format.ts';
import type { TableMasker } from '../table-masker.ts';
import { JsonMasker } from './json-masker.ts';
import type { JsonPiecesOptions } from './json-pieces.ts';

/** A JSON document on each line; lines of white space alone stay as they are. */
export function createJsonLines({ options }: RowSource, table: TableMasker): RowFormat {
  const { json, key } = options as JsonPiecesOptions;
  // What is a document as a whole must be one.
  return new JsonLines(new JsonMasker({ ...json, onInvalid: 'fail' }, innerRules(key, table.probe)));
}

class JsonLines implements RowFormat {
  readonly #masker: JsonMasker;

  constructor(masker: JsonMasker) {
    this.#masker = masker;
  }

  mask(block: Buffer): MaskedBlock {
    if (!isUtf8(block)) throw new RowFault(0, 'it, or a line soon after it, is not in UTF-8, which JSON must be');
    const text = block.toString('utf8');
    let [out, rows] = ['', 0];
    for (let at = 0; at < text.length; ) {
      const newline = text.indexOf('\n', at);
      const end = newline < 0 ? text.length : newline + 1;
      const line = text.slice(at, end);
      if (/^[ \t\r\n]*$/.test(line)) out += line;
      else out += this.#line(line, rows++);
      at = end;
    }
    return { bytes: new TextEncoder().encode(out), rowsIn: rows, rowsOut: rows };
  }

  #line(line: string, row: number): string {
    try {
      return this.#masker.mask(line) ?? '';
    } catch (error) {
      throw new RowFault(row, undefined, error);
    }
  }
}
