import type { Backup } from './backup.ts';
import type { ManagerContext } from './manager-context.ts';

/** What a service recorded (`serviceData`) with a backup. @throws what `openSnapshot` throws */
export async function recordedData(
  { repositories }: Pick<ManagerContext, 'repositories'>,
  backup: Pick<Backup, 'id' | 'repositoryId'>,
): Promise<Readonly<Record<string, unknown>>> {
  const reader = await repositories.get(backup.repositoryId).openSnapshot(backup.id);
  const { serviceData } = reader.record;
  await reader.close();
  return serviceData;
}
