/** The row at which the masking of a block ended. */
export class RowFault extends Error {
  /** Within the block, from 0. */
  readonly row: number;
  /** What is wrong, within a sentence, without a value; undefined where `cause` knows. */
  readonly what: string | undefined;

  constructor(row: number, what: string | undefined, cause?: unknown) {
    super(what ?? 'a row cannot be masked', { cause });
    this.row = row;
    this.what = what;
  }
}

/** Says at which row of its block it was that something failed. */
export function faultAt(row: number, error: unknown): RowFault {
  return error instanceof RowFault ? new RowFault(row, error.what, error.cause) : new RowFault(row, undefined, error);
}
