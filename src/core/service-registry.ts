import type { BackupType } from './backup.ts';
import type { Assertion } from './drill.ts';
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

  /** Undefined for a service that a newer or older version of Holdfast has. */
  find(name: string): Service | undefined {
    return this.#services.get(name);
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

/** What drills a service's backups. @throws HoldfastError `drill-not-offered` (unsupported) */
export function drillOf(service: Service): NonNullable<Service['drill']> {
  if (service.drill !== undefined) return service.drill.bind(service);
  const message = `The service "${service.name}" offers no restore drills.`;
  throw new HoldfastError('unsupported', 'drill-not-offered', message, { details: { service: service.name } });
}

/** @throws HoldfastError `assertions-invalid` (invalid), `assertions-not-offered` (unsupported) */
export async function parseAssertions(service: Service, assertions: readonly unknown[]): Promise<readonly Assertion[]> {
  if (assertions.length === 0) return [];
  if (service.parseAssertions !== undefined) return service.parseAssertions(assertions);
  const message = `The service "${service.name}" knows no assertions. Leave \`assertions\` away.`;
  throw new HoldfastError('unsupported', 'assertions-not-offered', message, { details: { service: service.name } });
}
