import type { StoredTable } from './contents.ts';
import { countRows, type ListedTable } from './database-facts.ts';
import type { Session } from './session.ts';

/** How many rows each table has in the snapshot of a session. */
export class RowCounts {
  readonly #rows = new Map<number, number>();

  set({ oid }: ListedTable, rows: number): void {
    this.#rows.set(oid, rows);
  }

  /** Asks the server, of those tables that are not known yet. */
  async count(session: Session, tables: readonly ListedTable[], signal: AbortSignal): Promise<void> {
    for (const table of tables) {
      signal.throwIfAborted();
      if (this.#rows.has(table.oid)) continue;
      this.set(table, await countRows(session, { schema: table.schema, table: table.name }));
    }
  }

  /** As a backup lists tables; without a number where rows were not counted. */
  of({ oid, isUnlogged: _, ...table }: ListedTable): StoredTable {
    const rows = this.#rows.get(oid);
    return rows === undefined ? table : { ...table, rows };
  }
}
