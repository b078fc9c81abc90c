import { plannedNames, type ServicePlan, servicePlan } from '../../core/restore-plan.ts';
import { printedName, selectedTables } from './archive-selection.ts';
import type { Contents, StoredTable } from './contents.ts';
import type { DatabasePlan } from './restore-plan.ts';

/** What a restore would do to databases and tables, in the shape that all services use. */
export function restorePlanOf(plans: readonly DatabasePlan[], { databases }: Contents): ServicePlan {
  const planned = plans.map(ofDatabase);
  const all = (pick: (plan: DatabaseNames) => readonly string[]) => plannedNames(planned.flatMap(pick));
  const restored = new Set(plans.map(({ database }) => database.name));
  const skipped = databases.filter(({ name }) => !restored.has(name)).map(({ name }) => `database "${name}"`);
  return servicePlan({
    created: all(({ created }) => created),
    replaced: all(({ replaced }) => replaced),
    dropped: all(({ dropped }) => dropped),
    skipped: plannedNames([...skipped, ...planned.flatMap((plan) => plan.skipped)]),
    bytes: plans.reduce((sum, { database }) => sum + database.dump.bytes, 0),
  });
}

interface DatabaseNames {
  created: readonly string[];
  replaced: readonly string[];
  dropped: readonly string[];
  skipped: readonly string[];
}

function ofDatabase({ database, target, action, selection, existing }: DatabasePlan): DatabaseNames {
  const nameOf = ({ schema, name }: Pick<StoredTable, 'schema' | 'name'>) => printedName({ schema, table: name });
  const chosen = selectedTables(database, selection).map(nameOf);
  const isChosen = new Set(chosen);
  const skipped = selection === undefined ? [] : database.tables.map(nameOf).filter((name) => !isChosen.has(name));
  const there = existing?.tables ?? new Set<string>();
  const tables = (names: readonly string[]) => names.map((name) => `table ${name} in "${target}"`);
  const none = { created: [], replaced: [], dropped: [], skipped: tables(skipped) };
  switch (action) {
    case 'create':
      return { ...none, created: [`database "${target}"`, ...tables(chosen)] };
    case 'replace':
      return {
        ...none,
        replaced: [`database "${target}"`, ...tables(chosen.filter((name) => there.has(name)))],
        created: tables(chosen.filter((name) => !there.has(name))),
        dropped: tables([...there].filter((name) => !isChosen.has(name))),
      };
    case 'clean':
      return {
        ...none,
        replaced: tables(chosen.filter((name) => there.has(name))),
        created: tables(chosen.filter((name) => !there.has(name))),
      };
    case 'fill':
      return { ...none, created: chosen.map((name) => `rows of ${name} in "${target}"`) };
    case 'fill-empty':
    case 'add':
      return { ...none, created: tables(chosen) };
  }
}
