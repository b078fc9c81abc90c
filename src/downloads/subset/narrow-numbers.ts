/** Numbers that lie so close together that one or two bytes tell each from the lowest. */
export interface NarrowNumbers {
  /** What 0 among the numbers means. */
  low: number;
  numbers: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
}

/**
 * @param special the first of `codes` numbers that mean something else than others, and lie apart from them: they become 0 and those after it.
 *   All other numbers are `low` less
 * @returns undefined where the numbers do not lie so close together
 */
export function narrowNumbers(
  numbers: Int32Array,
  { special, codes }: { special: number; codes: number },
): NarrowNumbers | undefined {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] as number;
    if (number >= special && number < special + codes) continue;
    if (number < lowest) lowest = number;
    if (number > highest) highest = number;
  }
  const low = (lowest === Number.POSITIVE_INFINITY ? 0 : lowest) - codes;
  const largest = Math.max(highest - low, codes);
  if (largest > 0xffff) return undefined;
  const narrow = largest > 0xff ? new Uint16Array(numbers.length) : new Uint8Array(numbers.length);
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at] as number;
    narrow[at] = number >= special && number < special + codes ? number - special : number - low;
  }
  return { low, numbers: narrow };
}
