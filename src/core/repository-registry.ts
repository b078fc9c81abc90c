import { HoldfastError } from './errors.ts';
import type { Repository } from './ports/repository.ts';

/** A repository that is open, and how to ask whether its storage still answers. */
export interface OpenRepository {
  /** Its name in the configuration, by which the catalogue and people refer to it. */
  readonly id: string;
  readonly repository: Repository;
  /** Cheap; rejects where the storage does not answer or the repository is gone from it. */
  ping(): Promise<void>;
  /** Writes something that nobody ever sees. Rejects where the storage takes nothing. */
  tryWriting?(): Promise<void>;
  /** Opens a key slot anew with the configured keys. @throws HoldfastError `key-file-missing`, `key-does-not-open` (wrong-key) */
  tryKeys?(): Promise<void>;
  /** What the storage has room for; undefined where it does not say. */
  freeBytes?(): Promise<number | undefined>;
  close(): Promise<void>;
}

/** The open repositories by id; the first one configured takes new resources' backups. */
export class RepositoryRegistry {
  readonly #repositories: ReadonlyMap<string, OpenRepository>;
  readonly #default: OpenRepository;

  constructor(repositories: readonly OpenRepository[]) {
    const [first] = repositories;
    if (first === undefined) {
      const message = 'No repository is configured. Add one under "repositories" in holdfast.yaml.';
      throw new HoldfastError('invalid', 'repository-not-configured', message);
    }
    this.#default = first;
    this.#repositories = new Map(repositories.map((open) => [open.id, open]));
  }

  get default(): Repository {
    return this.#default.repository;
  }

  get defaultId(): string {
    return this.#default.id;
  }

  /** @throws HoldfastError `repository-not-found` (not-found) */
  get(id: string): Repository {
    const open = this.#repositories.get(id);
    if (open !== undefined) return open.repository;
    const known = [...this.#repositories.keys()].join(', ');
    throw new HoldfastError(
      'not-found',
      'repository-not-found',
      `There is no repository "${id}" here. Configured are: ${known}.`,
      { details: { repositoryId: id } },
    );
  }

  all(): readonly OpenRepository[] {
    return [...this.#repositories.values()];
  }
}
