import { MOST_DAMAGES, type RestoreDamage, type ServiceRestore } from './ports/service.ts';

/** What a restore could not give back: counted in full, listed up to a limit; neighbouring bytes are one damage. */
export class DamageList {
  readonly #listed: RestoreDamage[] = [];
  #last: RestoreDamage | undefined;
  #bytes = 0;
  count = 0;

  add(damage: RestoreDamage): void {
    const { path, offset, length, lostUntil } = damage;
    this.#bytes += length;
    const last = this.#last;
    if (last !== undefined && last.path === path && lostUntil === undefined && last.offset + last.length === offset) {
      last.length += length;
      return;
    }
    this.count++;
    this.#last = { ...damage };
    if (this.#listed.length < MOST_DAMAGES) this.#listed.push(this.#last);
  }

  /** One sentence for the operation. */
  warning(): string {
    const places = this.count === 1 ? 'one place' : `${this.count} places`;
    return `Damage was allowed, and ${this.#bytes} bytes in ${places} are lost: they are zeros in what was restored. The result lists them.`;
  }

  /** For the restore's report. */
  report(): Readonly<Record<string, unknown>> {
    if (this.count === 0) return {};
    return { damageCount: this.count, damagedBytes: this.#bytes, damages: this.#listed };
  }

  result(): Pick<ServiceRestore, 'damages'> {
    return this.count === 0 ? {} : { damages: this.#listed };
  }
}
