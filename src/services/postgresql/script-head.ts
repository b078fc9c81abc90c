import { HoldfastError } from '../../core/errors.ts';

/** Comments, the begin of a transaction and settings stand before all else that a script does. */
export const HEAD_BYTES = 4096;

const BEGIN = '\nBEGIN;\n';

/**
 * A script in one transaction (`pg_restore --single-transaction --file=-`), with statements more at the beginning of that.
 * @throws HoldfastError `postgresql-script-unexpected` (unsupported): it begins none
 */
export function withStatementsFirst(
  script: AsyncIterable<Uint8Array>,
  statements: readonly string[],
): AsyncGenerator<Uint8Array> {
  return withChangedHead(script, (head) => {
    const at = head.subarray(0, HEAD_BYTES).indexOf(BEGIN);
    if (at < 0) {
      const message =
        'The script that pg_restore made begins no transaction, so that a failure would leave half of it behind. Nothing was restored. Install client tools of another version, or name their folder by `binaries`.';
      throw new HoldfastError('unsupported', 'postgresql-script-unexpected', message);
    }
    const end = at + BEGIN.length;
    const text = statements.map((statement) => `${statement};\n`).join('');
    return Buffer.concat([head.subarray(0, end), Buffer.from(text), head.subarray(end)]);
  });
}

/** @param change is given the first bytes, at least `HEAD_BYTES` of them where there are as many */
export async function* withChangedHead(
  sql: AsyncIterable<Uint8Array>,
  change: (head: Buffer) => Buffer,
): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0);
  let isOver = false;
  for await (const piece of sql) {
    if (isOver) {
      yield piece;
      continue;
    }
    head = Buffer.concat([head, piece]);
    if (head.length < HEAD_BYTES) continue;
    isOver = true;
    yield change(head);
  }
  if (!isOver && head.length > 0) yield change(head);
}
