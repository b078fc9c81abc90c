import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../src/core/errors.ts';
import { serveBlocks } from '../src/downloads/masking/block-server.ts';
import type { TablePlan } from '../src/downloads/variant-plan.ts';

/** Rules that do what a test wants of them, in place of the true ones. */
const RULES: Readonly<Record<string, (value: string) => string | null>> = {
  mark: (value) => `<${[...value].length}>\t\\.\n'\u00e9`,
  number: (value) => String(value.length),
  null: () => null,
  same: (value) => value,
  throws: (value) => {
    throw new Error(`a secret: ${value}`);
  },
  refuses: () => {
    throw new HoldfastError('invalid', 'variant-failed', 'A rule cannot take this.', { details: { rule: 'refuses' } });
  },
  loops: () => {
    for (;;);
  },
  dies: () => process.exit(1),
  nul: () => '\0',
  prints: (value) => {
    console.log(value);
    console.error(value);
    return 'x';
  },
};

class StandIn {
  readonly changed: readonly number[];
  readonly needed: readonly number[];
  readonly #rules: readonly string[];

  constructor({ columns: plans }: TablePlan, columns: readonly string[]) {
    this.#rules = columns.map((column) => plans.find((plan) => plan.column === column)!.rule.transformer);
    this.changed = this.#rules.flatMap((rule, index) => (rule === 'keep' ? [] : [index]));
    this.needed = this.changed;
  }

  mask(values: (string | null)[]): boolean {
    for (const index of this.changed) {
      const value = values[index]!;
      if (value !== null) values[index] = RULES[this.#rules[index]!]!(value);
    }
    return true;
  }
}

serveBlocks(parentPort!, workerData, { values: (plan, columns) => new StandIn(plan, columns) });
