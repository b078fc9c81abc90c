import { type Kysely, sql } from 'kysely';
import type { Drill, DrillStanding, DrillVerdict } from '../../core/drill.ts';
import type { DrillTable } from '../../core/ports/catalogue.ts';
import { matchesAny } from '../id-patterns.ts';
import { decodeCursor, encodeCursor } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema } from '../schema.ts';

export function createDrillTable(database: Kysely<CatalogueSchema>): DrillTable {
  /** The newest drill of one resource, or of each one. */
  const newest = async (outcome: DrillVerdict | undefined, resourceId: string | undefined): Promise<Drill[]> => {
    let latest = database
      .selectFrom('drills')
      .select(({ fn }) => ['resource_id', fn.max('id').as('id')])
      .groupBy('resource_id');
    if (outcome !== undefined) latest = latest.where('outcome', '=', outcome);
    if (resourceId !== undefined) latest = latest.where('resource_id', '=', resourceId);
    const rows = await database
      .selectFrom('drills')
      .innerJoin(latest.as('latest'), 'latest.id', 'drills.id')
      .select('record')
      .orderBy('drills.resource_id')
      .execute();
    return rows.map((row) => fromText<Drill>(row.record));
  };
  const standings = async (resourceId?: string): Promise<DrillStanding[]> => {
    const proven = new Map((await newest('passed', resourceId)).map((drill) => [drill.resourceId, drill]));
    return (await newest(undefined, resourceId)).map((last) => standingOf(last, proven.get(last.resourceId)));
  };
  return {
    async insert(drill) {
      const { id, resourceId, outcome, createdAt } = drill;
      await database
        .insertInto('drills')
        .values({ id, resource_id: resourceId, outcome, created_at: createdAt, record: toText(drill) })
        .execute();
    },
    async get(id) {
      const row = await database.selectFrom('drills').select('record').where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : fromText<Drill>(row.record);
    },
    async page({ resourceId, outcome, resources }, { limit, cursor }) {
      let query = database.selectFrom('drills').select(['id', 'created_at', 'record']);
      if (resourceId !== undefined) query = query.where('resource_id', '=', resourceId);
      if (outcome !== undefined) query = query.where('outcome', '=', outcome);
      if (resources !== undefined) query = query.where((builder) => matchesAny(builder, 'resource_id', resources));
      if (cursor !== undefined) {
        const [time, id] = decodeCursor(cursor, 2);
        query = query.where(sql<boolean>`(created_at, id) < (${time}, ${id})`);
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map((row) => fromText<Drill>(row.record));
      const last = rows[limit - 1];
      return rows.length > limit && last !== undefined
        ? { items, nextCursor: encodeCursor([last.created_at, last.id]) }
        : { items };
    },
    standing: async (resourceId) => (await standings(resourceId))[0] ?? { resourceId },
    standings: () => standings(),
  };
}

function standingOf(last: Drill, proven: Drill | undefined): DrillStanding {
  return {
    resourceId: last.resourceId,
    ...(proven === undefined
      ? {}
      : {
          lastProven: {
            drillId: proven.id,
            at: proven.completedAt,
            backupId: proven.backup.id,
            backupCreatedAt: proven.backup.createdAt,
            recoveryTimeMilliseconds: proven.recoveryTimeMilliseconds ?? 0,
          },
        }),
    last: { drillId: last.id, at: last.completedAt, backupId: last.backup.id, outcome: last.outcome },
  };
}
