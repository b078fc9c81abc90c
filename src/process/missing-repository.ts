import { existsSync } from 'node:fs';
import { HoldfastError } from '../core/errors.ts';
import type { Catalogue } from '../core/ports/catalogue.ts';

/**
 * Whether a missing repository may be one that was never made.
 * @param catalogueFile which need not be there
 * @throws HoldfastError `repository-gone` (no-repository) where it was: its disk may not be mounted, and a new one would hide that
 */
export async function mayBeginRepository(
  { id, location }: { id: string; location: string },
  catalogueFile: string,
  openCatalogue: () => Promise<Catalogue>,
): Promise<boolean> {
  if (!existsSync(catalogueFile)) return true;
  const catalogue = await openCatalogue();
  try {
    const backups = (await catalogue.backups.idsOf(id)).size;
    if (backups === 0) return true;
    const message = `There is no repository at ${location}, and ${catalogueFile} lists ${backups === 1 ? '1 backup' : `${backups} backups`} in it. Mount its disk, or name its place and its key in holdfast.yaml. If it is lost for good, "holdfast serve --new-repository" begins an empty one.`;
    throw new HoldfastError('no-repository', 'repository-gone', message, { details: { location, backups } });
  } finally {
    await catalogue.close();
  }
}
