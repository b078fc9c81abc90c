import type { CopyConfiguration } from '../configuration.ts';
import type { OpenRepository } from '../repository-registry.ts';
import type { Repository } from './repository.ts';

/** Opens copies when they are asked for: their disks come and go. */
export interface CopyOpener {
  /** @returns undefined where there is no repository */
  open(copy: CopyConfiguration): Promise<OpenRepository | undefined>;
  /** @throws HoldfastError `repository-exists` (conflict) */
  make(copy: CopyConfiguration, source: Repository): Promise<void>;
}
