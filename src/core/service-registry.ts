import type { BackupType } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { Service } from './ports/service.ts';

/** The services by the name under which resources and backups refer to them. */
export class ServiceRegistry {
  readonly #services: ReadonlyMap<string, Service>;

  constructor(services: readonly Service[]) {
    this.#services = new Map(services.map((service) => [service.name, service]));
  }

  /** @throws HoldfastError `service-unknown` (unsupported) naming the ones there are */
  get(name: string): Service {
    const service = this.#services.get(name);
    if (service !== undefined) return service;
    throw new HoldfastError(
      'unsupported',
      'service-unknown',
      `There is no service "${name}" in this version of Holdfast. There are: ${[...this.#services.keys()].join(', ')}.`,
      { details: { service: name, services: [...this.#services.keys()] } },
    );
  }

  all(): readonly Service[] {
    return [...this.#services.values()];
  }
}

/** @throws HoldfastError `backup-type-not-offered` (unsupported) naming what is offered */
export function requireBackupType(service: Service, type: BackupType): void {
  if (service.backupTypes.includes(type)) return;
  const offered = service.backupTypes.join(', ');
  throw new HoldfastError(
    'unsupported',
    'backup-type-not-offered',
    `The service "${service.name}" makes no ${type} backups. It offers: ${offered}.`,
    { details: { type, offered: service.backupTypes } },
  );
}
