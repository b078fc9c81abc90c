import type { Kysely } from 'kysely';
import type { Operation } from '../../core/operation.ts';
import type { OperationTable } from '../../core/ports/catalogue.ts';
import { matchesAny } from '../id-patterns.ts';
import { newestFirst } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';

export function createOperationTable(database: Kysely<CatalogueSchema>, exclusively: Exclusively): OperationTable {
  const insert = async (operation: Operation, owner: string | null): Promise<void> => {
    await database.insertInto('operations').values(toRow(operation, owner)).execute();
  };
  const get = async (id: string): Promise<Operation | undefined> => {
    const row = await database.selectFrom('operations').select('record').where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : fromText<Operation>(row.record);
  };
  return {
    insert: (operation) => insert(operation, null),
    insertRunning: insert,
    get,
    update: (id, change, expected) =>
      exclusively(async (transaction) => {
        const row = await transaction
          .selectFrom('operations')
          .select(['record', 'status'])
          .where('id', '=', id)
          .executeTakeFirst();
        if (row === undefined || (expected !== undefined && row.status !== expected)) return false;
        const operation = { ...fromText<Operation>(row.record), ...change };
        await transaction
          .updateTable('operations')
          .set({
            status: operation.status,
            resource_id: operation.resourceId ?? null,
            record: toText(operation),
            ...(operation.status === 'running' ? {} : { owner: null }),
          })
          .where('id', '=', id)
          .execute();
        return true;
      }),
    async page({ kind, status, resourceId, resources }, page) {
      let query = database.selectFrom('operations').select(['id', 'created_at', 'record']);
      if (kind !== undefined) query = query.where('kind', '=', kind);
      if (status !== undefined) query = query.where('status', '=', status);
      if (resourceId !== undefined) query = query.where('resource_id', '=', resourceId);
      if (resources !== undefined) query = query.where((builder) => matchesAny(builder, 'resource_id', resources));
      return newestFirst<Operation>(query, page);
    },
    async withStatus(status) {
      const rows = await database
        .selectFrom('operations')
        .select('record')
        .where('status', '=', status)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => fromText<Operation>(row.record));
    },
    async claim(owner) {
      // Most polls find nothing: those must not wait for whoever is writing.
      if ((await oldestQueued(database)) === undefined) return undefined;
      return exclusively(async (transaction) => {
        const queued = await oldestQueued(transaction);
        if (queued === undefined) return undefined;
        const operation: Operation = { ...queued, status: 'running' };
        await transaction
          .updateTable('operations')
          .set({ status: 'running', owner, record: toText(operation) })
          .where('id', '=', operation.id)
          .execute();
        return operation;
      });
    },
    async orphaned(owners) {
      const rows = await database
        .selectFrom('operations')
        .select(['record', 'owner'])
        .where('status', '=', 'running')
        .orderBy('created_at')
        .execute();
      return rows
        .filter((row) => row.owner === null || !owners.includes(row.owner))
        .map((row) => fromText<Operation>(row.record));
    },
    async deleteEnded(before) {
      const { numDeletedRows } = await database
        .deleteFrom('operations')
        .where('status', 'in', ['completed', 'failed', 'cancelled'])
        .where('created_at', '<', before)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async owners() {
      const rows = await database
        .selectFrom('operations')
        .select('owner')
        .distinct()
        .where('status', '=', 'running')
        .execute();
      return rows.flatMap((row) => row.owner ?? []);
    },
  };
}

async function oldestQueued(database: Kysely<CatalogueSchema>): Promise<Operation | undefined> {
  const row = await database
    .selectFrom('operations')
    .select('record')
    .where('status', '=', 'queued')
    .orderBy('created_at')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : fromText<Operation>(row.record);
}

function toRow(operation: Operation, owner: string | null): CatalogueSchema['operations'] {
  return {
    id: operation.id,
    kind: operation.kind,
    status: operation.status,
    resource_id: operation.resourceId ?? null,
    owner,
    created_at: operation.createdAt,
    record: toText(operation),
  };
}
