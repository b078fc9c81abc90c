import { nearestName } from '../../../core/nearest-name.ts';

/** Finds what a mistyped name most likely meant, as long as that takes no time worth speaking of: a policy and a schema may each have ten thousands of names. */
export class NameHints {
  #comparisonsLeft = MOST_COMPARISONS;

  /** Undefined where no known name is near, or too many were compared before. */
  nearest(typed: string, known: readonly string[]): string | undefined {
    this.#comparisonsLeft -= known.length;
    // Databases and people have no names so long.
    return this.#comparisonsLeft < 0 || typed.length > LONGEST_NAME ? undefined : nearestName(typed, known);
  }
}

/** Some tenths of a second. */
const MOST_COMPARISONS = 50_000;
const LONGEST_NAME = 200;
