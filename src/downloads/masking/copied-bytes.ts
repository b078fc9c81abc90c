/** Bytes from which on a call costs less than a loop. */
const SHORT = 40;

/** Writes a part of some bytes to others; the position after it. */
export function copied(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (to - from > SHORT) source.copy(target, at, from, to);
  else for (let index = from, place = at; index < to; index++, place++) target[place] = source[index] as number;
  return at + to - from;
}
