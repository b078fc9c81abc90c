/**
 * Runs pieces of work side by side, at most `most` at once, and ends all of them with the first that fails: its error is the
 * cause, those of the others only follow from it.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  options: { most: number; signal: AbortSignal },
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  const results: Result[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const position = next++;
      try {
        results[position] = await work(items[position] as Item, signal);
      } catch (error) {
        failures.push(error);
        failing.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.most, items.length) }, lane));
  options.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return results;
}
