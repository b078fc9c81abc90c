import type { Backup } from '../src/core/backup.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { Resource } from '../src/core/resource.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import type { BackupTool, ToolPlace } from './backup-tool.ts';
import { type EngineAccess, openEngine, recordOf } from './engine-access.ts';
import { measureCommand } from './measured-command.ts';

/** Makes many backups of one folder, which changes in between, and forgets every second of them. None of it is measured. */
export interface SnapshotHistory {
  backUp(source: string): Promise<void>;
  /** Leaves the data to a collection. */
  forgetEverySecond(): Promise<void>;
}

/** @param folder for logs of commands */
export async function beginHistory(tool: BackupTool, place: ToolPlace, folder: string): Promise<SnapshotHistory> {
  await measureCommand(tool.initialise(place), folder);
  const { forgetEverySecond } = tool;
  if (forgetEverySecond === undefined) return new EngineHistory(await openEngine(place.repository));
  const run = async (command: Parameters<typeof measureCommand>[0]): Promise<void> => {
    await measureCommand(command, folder);
  };
  return {
    backUp: (source) => run(tool.backup(place, source)),
    forgetEverySecond: () => run(forgetEverySecond(place)),
  };
}

/** What the command line does, without the start of a process for each backup. */
class EngineHistory implements SnapshotHistory {
  readonly #engine: EngineAccess;
  readonly #service: Service = createFilesService();
  readonly #backups: Backup[] = [];

  constructor(engine: EngineAccess) {
    this.#engine = engine;
  }

  async backUp(source: string): Promise<void> {
    const { repository } = this.#engine;
    const previous = this.#backups.at(-1);
    const reader = previous && (await repository.openSnapshot(previous.id));
    const writer = await repository.beginSnapshot({ encrypt: true });
    try {
      const made = await this.#service.backup({
        resource: resourceOf(this.#service, source),
        type: previous === undefined ? 'full' : 'incremental',
        chain: previous === undefined || reader === undefined ? [] : [{ backup: previous, reader }],
        writer,
        signal: new AbortController().signal,
        report: () => undefined,
        warn: (message) => {
          throw new Error(message);
        },
      });
      this.#backups.push((await writer.commit(recordOf(writer, made))).backup);
    } finally {
      await writer.abort();
      await reader?.close();
    }
  }

  async forgetEverySecond(): Promise<void> {
    const { repository } = this.#engine;
    for (const [index, { id }] of this.#backups.entries())
      if (index % 2 === 0) await repository.forgetSnapshot(id, { trashDays: 0, reason: 'bench' });
    await repository.close();
  }
}

function resourceOf(service: Service, source: string): Resource {
  const now = new Date().toISOString();
  const configuration = service.parseConfiguration({ paths: [source] });
  return {
    id: 'bench',
    type: 'files',
    service: 'files',
    configuration,
    repositoryId: 'default',
    createdAt: now,
    updatedAt: now,
  };
}
