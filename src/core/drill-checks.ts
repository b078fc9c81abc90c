import type { DrillCheck } from './drill.ts';
import { messageOf } from './errors.ts';
import type { DrillFinding, DrillQuestion, DrillRecorder } from './ports/service-drill.ts';
import { saysDamaged } from './validator.ts';

/** The checks of one drill, in the order in which they were made. */
export class DrillChecks implements DrillRecorder {
  readonly #made: DrillCheck[] = [];

  get made(): readonly DrillCheck[] {
    return this.#made;
  }

  async make(question: DrillQuestion, look: () => Promise<DrillFinding> | DrillFinding): Promise<DrillFinding> {
    const began = performance.now();
    const keep = (finding: DrillFinding): DrillFinding => {
      this.add({ ...question, ...finding, durationMilliseconds: Math.round(performance.now() - began) });
      return finding;
    };
    try {
      return keep(await look());
    } catch (error) {
      keep({ outcome: saysDamaged(error) ? 'failed' : 'not-applicable', found: messageOf(error) });
      throw error;
    }
  }

  add(check: DrillCheck): void {
    this.#made.push(check);
  }

  failed(): readonly DrillCheck[] {
    return this.#made.filter(({ outcome }) => outcome === 'failed');
  }

  /** Whether anything that was restored was compared with what was backed up, and agreed. */
  provesContent(): boolean {
    return this.#made.some(({ kind, outcome }) => kind === 'content' && outcome === 'passed');
  }
}
