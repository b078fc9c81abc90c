/** pg_dump and pg_restore set `transaction_timeout` from this version on, whatever server the rows come from or go to. */
export const TRANSACTION_TIMEOUT_SINCE = 17;

const UNKNOWN_BEFORE = 'SET transaction_timeout = 0;\n';
/** The settings stand before all else that a script does. */
const HEAD_BYTES = 4096;

/**
 * Plain SQL as pg_dump and pg_restore write it, without the setting that servers before 17 refuse where it is of such a server: it must load into
 * what it came from.
 */
export async function* withKnownSettings(sql: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
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
    yield knownSettings(head);
  }
  if (!isOver && head.length > 0) yield knownSettings(head);
}

function knownSettings(head: Buffer): Buffer {
  const major = /^-- Dumped from database version (\d+)/m.exec(head.toString('latin1', 0, HEAD_BYTES))?.[1];
  const at = head.indexOf(UNKNOWN_BEFORE);
  if (major === undefined || Number(major) >= TRANSACTION_TIMEOUT_SINCE || at < 0 || at > HEAD_BYTES) return head;
  return Buffer.concat([head.subarray(0, at), head.subarray(at + UNKNOWN_BEFORE.length)]);
}
