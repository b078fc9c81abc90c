import { messageOf } from '../../core/errors.ts';
import type { TextFault, YamlText } from './yaml-text.ts';

const FAULTS_KEPT = 50;

/** Gathers what is wrong with a policy, so that its writer sees all of it at once. */
export class FaultList {
  readonly faults: TextFault[] = [];
  readonly #text: YamlText;

  constructor(text: YamlText) {
    this.#text = text;
  }

  /** True where what else is found will not be told. */
  get isFull(): boolean {
    return this.faults.length >= FAULTS_KEPT;
  }

  add(path: readonly PropertyKey[], message: string): void {
    if (this.isFull) return;
    const where = path.map((step) => (/^[\w-]+$/.test(String(step)) ? String(step) : `"${String(step)}"`)).join('.');
    const sentence = message.endsWith('.') || message.endsWith('?') ? message : `${message}.`;
    this.faults.push({
      ...this.#text.placeOf(path),
      message: where === '' ? sentence : `\`${where.slice(0, 300)}\`: ${sentence}`,
    });
  }

  /** What `work` gives, or undefined where it throws: that is then a fault of what stands at the path. */
  guard<Value>(path: readonly PropertyKey[], work: () => Value): Value | undefined {
    try {
      return work();
    } catch (error) {
      this.add(path, messageOf(error));
      return undefined;
    }
  }
}
