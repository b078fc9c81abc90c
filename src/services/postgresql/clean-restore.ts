import { selectedTables } from './archive-selection.ts';
import type { DatabasePlan } from './restore-plan.ts';
import { restoreByScript, type ScriptRestore } from './script-restore.ts';
import { Session } from './session.ts';

export interface CleanRestore extends ScriptRestore {
  plan: DatabasePlan;
}

/**
 * Replaces objects of a database by those of a dump, in one transaction. pg_restore itself cannot: of partitioned tables it
 * tries to drop the partitions' inherited keys, which the server refuses. So it writes its script to psql, after statements
 * of ours that drop what these keys are inherited from.
 */
export async function restoreCleanly(
  args: readonly string[],
  restore: CleanRestore,
  signal: AbortSignal,
): Promise<void> {
  const first = await dropsOfInherited(restore, signal);
  await restoreByScript({ args: ['--clean', '--if-exists', ...args], transaction: { first } }, restore, signal);
}

/** Keys, indexes and references of partitioned tables that the dump replaces. */
async function dropsOfInherited(
  { plan, connection, into, major }: CleanRestore,
  signal: AbortSignal,
): Promise<string[]> {
  if (major < KEYS_OF_PARTITIONED_SINCE) return [];
  const tables = selectedTables(plan.database, plan.selection).map(({ schema, name }) => [schema, name]);
  const session = await Session.open(connection, into, signal);
  try {
    const rows = await session.rows<{ statement: string }>(DROPS, [JSON.stringify(tables)]);
    return rows.map(({ statement }) => statement);
  } finally {
    await session.close();
  }
}

/** Before that, partitioned tables had neither keys nor indexes. */
const KEYS_OF_PARTITIONED_SINCE = 11;

const DROPS = `
  WITH replaced AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
      FROM json_array_elements($1::json) AS t JOIN pg_namespace n ON n.nspname = t->>0
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t->>1)
  SELECT 1 AS step, format('ALTER TABLE %s DROP CONSTRAINT %I', r.name, f.conname) AS statement
    FROM pg_constraint f JOIN replaced r ON r.oid = f.conrelid JOIN replaced p ON p.oid = f.confrelid
   WHERE f.contype = 'f' AND f.conparentid = 0 AND p.relkind = 'p'
  UNION ALL
  SELECT 2, format('ALTER TABLE %s DROP CONSTRAINT %I', r.name, k.conname)
    FROM pg_constraint k JOIN replaced r ON r.oid = k.conrelid
   WHERE k.contype IN ('p', 'u', 'x') AND k.conparentid = 0 AND r.relkind = 'p'
  UNION ALL
  SELECT 3, format('DROP INDEX %I.%I', n.nspname, i.relname)
    FROM pg_index x JOIN replaced r ON r.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = i.relnamespace
   WHERE r.relkind = 'p' AND NOT i.relispartition
     AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
  ORDER BY step`;
