import { HoldfastError } from '../../core/errors.ts';
import type { GivenSchema } from '../../core/ports/policy-workshop.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import { tableContent } from '../content/table-contents.ts';

type GivenDialect = NonNullable<GivenSchema['dialect']>;

/** Characters at the beginning that tell what it is. */
const HEAD = 4096;
const SQLITE_MAGIC = 'SQLite format 3\0';

/**
 * The tables of definitions that no backup holds.
 * @throws HoldfastError `variant-content-unreadable` (unsupported); `given-schema-empty` (invalid): what made them may have failed
 */
export async function givenSchema({ name, dialect, bytes }: GivenSchema, signal: AbortSignal): Promise<ContentSchema> {
  const source = bytes[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  for (let length = 0; length < HEAD; ) {
    const { done, value } = await source.next();
    if (done === true) break;
    held.push(value);
    length += value.length;
  }
  const head = Buffer.concat(held);
  const content = await tableContent(dialect ?? dialectOf(head.toString('latin1')));
  const schema = await content.schema(whole(head, source), signal);
  // A pipe whose first program failed must not look like a policy that fits.
  if (schema.tables.length > 0) return schema;
  const message = `The definitions hold no table (${name}). See whether what wrote it succeeded (set -o pipefail).`;
  throw new HoldfastError('invalid', 'given-schema-empty', message);
}

function dialectOf(head: string): GivenDialect {
  if (head.startsWith(SQLITE_MAGIC)) return 'sqlite';
  return /^-- (MySQL|MariaDB) dump|^\/\*M?!\d/m.test(head) ? 'mysql' : 'postgresql';
}

async function* whole(head: Uint8Array, source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    for (;;) {
      const { done, value } = await source.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await source.return?.();
  }
}
