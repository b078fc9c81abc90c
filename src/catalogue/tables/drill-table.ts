import type { Kysely } from 'kysely';
import type { Drill, DrillStanding, DrillVerdict } from '../../core/drill.ts';
import type { DrillTable } from '../../core/ports/catalogue.ts';
import { matchesAny } from '../id-patterns.ts';
import { newestFirst } from '../keyset-cursor.ts';
import { fromText, toText } from '../record-text.ts';
import type { CatalogueSchema } from '../schema.ts';

export function createDrillTable(database: Kysely<CatalogueSchema>): DrillTable {
  /** The newest drill of one resource, or of each one that exists. */
  const newest = (outcome: DrillVerdict | undefined, resourceId: string | undefined): Promise<NewestDrill[]> => {
    let latest = database
      .selectFrom('drills')
      .select(({ fn }) => ['resource_id', fn.max('id').as('id')])
      .groupBy('resource_id');
    if (outcome !== undefined) latest = latest.where('outcome', '=', outcome);
    if (resourceId !== undefined) latest = latest.where('resource_id', '=', resourceId);
    else latest = latest.where('resource_id', 'in', database.selectFrom('resources').select('id'));
    return database
      .selectFrom('drills')
      .innerJoin(latest.as('latest'), 'latest.id', 'drills.id')
      .select(['drills.id', 'drills.resource_id', 'outcome', 'completed_at', 'backup_id'])
      .select(['backup_created_at', 'recovery_milliseconds'])
      .orderBy('drills.resource_id')
      .execute();
  };
  const standings = async (resourceId?: string): Promise<DrillStanding[]> => {
    const proven = new Map((await newest('passed', resourceId)).map((drill) => [drill.resource_id, drill]));
    return (await newest(undefined, resourceId)).map((last) => standingOf(last, proven.get(last.resource_id)));
  };
  return {
    async insert(drill) {
      const { id, resourceId, outcome, createdAt, completedAt, backup, recoveryTimeMilliseconds } = drill;
      await database
        .insertInto('drills')
        .values({
          id,
          resource_id: resourceId,
          outcome,
          created_at: createdAt,
          completed_at: completedAt,
          backup_id: backup.id,
          backup_created_at: backup.createdAt,
          recovery_milliseconds: recoveryTimeMilliseconds ?? null,
          record: toText(drill),
        })
        .execute();
    },
    async get(id) {
      const row = await database.selectFrom('drills').select('record').where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : fromText<Drill>(row.record);
    },
    async page({ resourceId, outcome, resources }, page) {
      let query = database.selectFrom('drills').select(['id', 'created_at', 'record']);
      if (resourceId !== undefined) query = query.where('resource_id', '=', resourceId);
      if (outcome !== undefined) query = query.where('outcome', '=', outcome);
      if (resources !== undefined) query = query.where((builder) => matchesAny(builder, 'resource_id', resources));
      return newestFirst<Drill>(query, page);
    },
    standing: async (resourceId) => (await standings(resourceId))[0] ?? { resourceId },
    standings: () => standings(),
    async proofs(backups) {
      if (backups.length === 0) return new Map();
      const rows = await database
        .selectFrom('drills')
        .select(['id', 'backup_id', 'completed_at'])
        .where('outcome', '=', 'passed')
        .where('resource_id', 'in', [...new Set(backups.map(({ resourceId }) => resourceId))])
        .where(
          'backup_id',
          'in',
          backups.map(({ id }) => id),
        )
        .orderBy('id')
        .execute();
      return new Map(rows.map((row) => [row.backup_id, { drillId: row.id, at: row.completed_at }]));
    },
  };
}

type NewestDrill = Omit<CatalogueSchema['drills'], 'created_at' | 'record'>;

function standingOf(last: NewestDrill, proven: NewestDrill | undefined): DrillStanding {
  return {
    resourceId: last.resource_id,
    ...(proven === undefined
      ? {}
      : {
          lastProven: {
            drillId: proven.id,
            at: proven.completed_at,
            backupId: proven.backup_id,
            backupCreatedAt: proven.backup_created_at,
            recoveryTimeMilliseconds: Number(proven.recovery_milliseconds ?? 0),
          },
        }),
    last: {
      drillId: last.id,
      at: last.completed_at,
      backupId: last.backup_id,
      // The table's only writer is `insert`.
      outcome: last.outcome as DrillVerdict,
    },
  };
}
