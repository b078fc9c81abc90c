import type { Kysely } from 'kysely';
import type { ScheduleTable } from '../../core/ports/catalogue.ts';
import type { Schedule } from '../../core/schedule.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';
import { createDocumentTable } from './document-table.ts';

const COLLECTION = 'schedules';

export function createScheduleTable(database: Kysely<CatalogueSchema>, exclusively: Exclusively): ScheduleTable {
  return {
    ...createDocumentTable<Schedule>(database, COLLECTION),
    recordRun: (id, run) =>
      exclusively(async (transaction) => {
        const schedules = createDocumentTable<Schedule>(transaction, COLLECTION);
        const schedule = await schedules.get(id);
        if (schedule === undefined || (schedule.lastRunAt ?? '') > run.lastRunAt) return;
        await schedules.put({ ...schedule, ...run });
      }),
  };
}
