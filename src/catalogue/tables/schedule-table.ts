import type { Kysely } from 'kysely';
import type { ScheduleTable } from '../../core/ports/catalogue.ts';
import type { Schedule } from '../../core/schedule.ts';
import type { CatalogueSchema, Exclusively } from '../schema.ts';
import { createDocumentTable } from './document-table.ts';

const COLLECTION = 'schedules';

export function createScheduleTable(database: Kysely<CatalogueSchema>, exclusively: Exclusively): ScheduleTable {
  const schedules = createDocumentTable<Schedule>(database, exclusively, COLLECTION);
  return {
    ...schedules,
    recordRun: async (id, run) => {
      await schedules.change(id, (schedule) =>
        (schedule.lastRunAt ?? '') > run.lastRunAt ? schedule : { ...schedule, ...run },
      );
    },
  };
}
