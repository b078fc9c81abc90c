import type { AuditEvent } from './access.ts';
import type { AuditLog } from './application.ts';
import type { AuditTable, Page, PageRequest } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';

/** Every act with its time; the catalogue chains the entries by hash. */
export class CatalogueAuditLog implements AuditLog {
  readonly #table: AuditTable;
  readonly #clock: Clock;

  constructor(table: AuditTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
  }

  async record(event: {
    actor: string;
    action: string;
    subject?: string;
    outcome: AuditEvent['outcome'];
    address?: string;
    details?: Record<string, unknown>;
  }): Promise<void> {
    await this.#table.append({ ...event, time: this.#clock.now().toISOString(), details: event.details ?? {} });
  }

  async page(
    filter: { actor?: string; action?: string; subject?: string },
    page: PageRequest,
  ): Promise<Page<AuditEvent>> {
    return this.#table.page(filter, page);
  }

  async verify(): Promise<{ events: number; brokenAt?: number }> {
    return this.#table.verify();
  }
}
