import type { SealOptions, SqlSealer } from '../src/core/ports/sql-sealer.ts';

/**
 * The outline of a seal for PostgreSQL, without a look at the SQL inside: enough for tests of what carries it.
 * To be replaced by `createSqlSealer()` of `src/downloads/sql/create-sql-sealer.ts`.
 */
export function createPlainTestSealer(): SqlSealer {
  return { seal, failure };
}

async function* seal(source: AsyncIterable<Uint8Array>, { mode, title }: SealOptions): AsyncGenerator<Uint8Array> {
  const clearing = mode === 'replace' ? 'DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n' : '';
  yield Buffer.from(`-- ${title}\n\\set ON_ERROR_STOP on\n\\if true\nBEGIN;\n${clearing}`);
  let isInCopy = false;
  try {
    for await (const piece of source) {
      isInCopy = true;
      yield piece;
    }
  } catch (error) {
    yield Buffer.from(`${isInCopy ? '\n\\.\n' : ''};\n${raised('The download failed on its way.')}`);
    throw error;
  }
  yield Buffer.from('\nCOMMIT;\n\\endif\n');
}

function failure(message: string): string {
  return `\\set ON_ERROR_STOP on\n${raised(message)}`;
}

function raised(message: string): string {
  const text = message.replaceAll(/[^\w .,:;()/=-]/g, '_');
  return `DO $holdfast$ BEGIN RAISE EXCEPTION '%', '${text}'; END $holdfast$;\n`;
}
