import type { Captures } from './captures.ts';
import type { LogManager, LogOverview } from './log-overview.ts';
import type { ManagerContext } from './manager-context.ts';
import { requireResource } from './required-rows.ts';
import { ResourceLogStore } from './resource-log-store.ts';

/** The logs of resources as the API and the CLI see them. */
export class CatalogueLogManager implements LogManager {
  readonly #context: ManagerContext;
  readonly #captures: Captures;

  constructor(context: ManagerContext, captures: Captures) {
    this.#context = context;
    this.#captures = captures;
  }

  of(resourceId: string): ResourceLogStore {
    return new ResourceLogStore(this.#context, resourceId);
  }

  captures(): ReturnType<LogManager['captures']> {
    return this.#captures.states();
  }

  async overview(resourceId: string): Promise<LogOverview> {
    const resource = await requireResource(this.#context, resourceId);
    const { log } = this.#context.services.get(resource.service);
    const pieces = await this.of(resourceId).pieces();
    const [oldest, newest] = [pieces[0], pieces.at(-1)];
    const capture = this.#captures.states().get(resourceId);
    return {
      resourceId,
      kept: log?.isKept(resource.configuration) ?? false,
      pieces: pieces.length,
      bytes: pieces.reduce((sum, { size }) => sum + size, 0),
      ...(oldest === undefined ? {} : { from: oldest.from, oldestAt: oldest.createdAt }),
      ...(newest === undefined ? {} : { to: newest.to, newestAt: newest.completedAt }),
      ...(capture === undefined ? {} : { capture }),
    };
  }
}
