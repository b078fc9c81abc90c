/** Requests that one piece of work has at a storage at once: in a bucket each takes as long as a hundred in a folder. */
export const STORAGE_LANES = 8;

/**
 * Works on items, several at a time. After a failure none is begun, and those that were begun end before it is thrown, so that
 * nothing uses what the caller closes then.
 *
 * @throws the first failure
 */
export async function inLanes<Item>(
  items: Iterable<Item>,
  lanes: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = Iterator.from(items);
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let next = left.next(); !next.done && failures.length === 0; next = left.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (failures.length > 0) throw failures[0];
}
