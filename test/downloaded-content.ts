import type { Backup } from '../src/core/backup.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DownloadChoice, DownloadMaterial } from '../src/core/ports/service-download.ts';

export interface OpenDownload {
  material: DownloadMaterial;
  warnings: string[];
  close(): Promise<void>;
}

/** What a service makes of a backup for a developer, on a reader of its own. */
export async function openDownload(
  service: Service,
  repository: Repository,
  backups: readonly Backup[] | Backup,
  choice: DownloadChoice,
  signal: AbortSignal = new AbortController().signal,
): Promise<OpenDownload> {
  const chain = await Promise.all(
    [backups].flat().map(async (backup) => ({ backup, reader: await repository.openSnapshot(backup.id) })),
  );
  const close = async () => {
    for (const { reader } of chain) await reader.close();
  };
  const warnings: string[] = [];
  try {
    const { backup } = chain.at(-1)!;
    const material = await service.download!({
      backup,
      chain,
      choice,
      signal,
      warn: (message) => warnings.push(message),
    });
    return { material, warnings, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** All bytes, and what was said on the way. */
export async function downloaded(
  service: Service,
  repository: Repository,
  backups: readonly Backup[] | Backup,
  choice: DownloadChoice,
  range?: { offset: number; length: number },
): Promise<{ bytes: Buffer; material: DownloadMaterial; warnings: string[] }> {
  const { material, warnings, close } = await openDownload(service, repository, backups, choice);
  try {
    const pieces: Uint8Array[] = [];
    for await (const piece of material.bytes(range)) pieces.push(piece);
    return { bytes: Buffer.concat(pieces), material, warnings };
  } finally {
    await close();
  }
}
