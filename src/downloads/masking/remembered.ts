import type { ValueFunction } from './transformer.ts';

/** Values of a column, about a megabyte of them. */
const MOST = 8192;
/** Characters of a value; longer ones hardly come again. */
const LONGEST = 64;

/**
 * The same function of a value alone, which remembers what it gave for the last thousands of values: names and towns come again and again. Where a column's values turn
 * out not to do so, nothing is remembered any more.
 */
export function remembered(change: ValueFunction): ValueFunction {
  const known = new Map<string, string | null>();
  let [asked, found, isOn] = [0, 0, true];
  return (value, row) => {
    if (!isOn || value.length > LONGEST) return change(value, row);
    asked++;
    const before = known.get(value);
    if (before !== undefined) {
      found++;
      return before;
    }
    const changed = change(value, row);
    if (known.size >= MOST) {
      isOn = found * 4 >= asked;
      [asked, found] = [0, 0];
      known.clear();
    }
    if (isOn) known.set(ownMemory(value), changed);
    return changed;
  };
}

/** A part of a long string holds all of it in memory; one that was put together does not. */
function ownMemory(value: string): string {
  return ` ${value}`.slice(1);
}
