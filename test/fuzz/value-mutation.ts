import { decodeFirst, encode } from 'cborg';
import type { SeededRandom } from '../simulation/seeded-random.ts';

/** Changes something in a CBOR item, a sequence of them or a JSON text, and gives it back well-formed. */
export function mutateCborSequence(random: SeededRandom, example: Buffer): Buffer {
  const items: unknown[] = [];
  for (let rest: Uint8Array = example; rest.length > 0; ) {
    const [value, after] = decodeFirst(rest);
    items.push(value);
    rest = after;
  }
  return Buffer.concat((mutated(random, items, CBOR_VALUES) as unknown[]).map((item) => encodeLeniently(item)));
}

export function mutateCbor(random: SeededRandom, example: Buffer): Buffer {
  const [value] = decodeFirst(example);
  return encodeLeniently(mutated(random, value, CBOR_VALUES));
}

export function mutateJson(random: SeededRandom, example: Buffer): Buffer {
  const changed = mutated(random, JSON.parse(example.toString()), JSON_VALUES);
  const text = JSON.stringify(changed) ?? 'null';
  const deep = random.pick([100, 1002, 100_000]);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ] as const);
  return Buffer.from(
    text
      .replaceAll(`"${DEEP}"`, `${open.repeat(deep)}${random.pick(['', '1'])}${close.repeat(deep)}`)
      .replaceAll(`"${BEYOND}"`, '1e999'),
  );
}

const DEEP = 'a value that is nested deeply';
const BEYOND = 'a number beyond all';

function encodeLeniently(value: unknown): Buffer {
  return Buffer.from(encode(value, { ignoreUndefinedProperties: true }));
}

const JSON_VALUES: readonly ((random: SeededRandom) => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => 2 ** 53,
  () => 1e300,
  () => BEYOND,
  () => DEEP,
  () => '',
  () => 'text',
  () => '\ud800',
  () => [],
  () => ({}),
  () => '2026-02-30T25:61:61.123456789123456789Z',
  (random) => 'long '.repeat(random.below(20_000)),
  (random) => Array(random.below(random.chance(0.03) ? 300_000 : 3000)).fill(random.pick([0, 'x', null])),
  (random) => Object.fromEntries(Array.from({ length: random.below(500) }, (_, name) => [`name ${name}`, 0])),
];

const CBOR_VALUES: readonly ((random: SeededRandom) => unknown)[] = [
  ...JSON_VALUES.filter((make) => !/DEEP|BEYOND|ud800/.test(String(make))),
  () => 2n ** 64n - 1n,
  () => -(2n ** 63n),
  () => -0.5,
  () => 5e-324,
  (random) => random.bytes(random.pick([0, 1, 31, 32, 33, 64, 100])),
  (random) => random.bytes(32),
  (random) => {
    let value: unknown = random.pick([1, []]);
    for (let depth = random.pick([10, 500]); depth > 0; depth--) value = random.chance(0.5) ? [value] : { a: value };
    return value;
  },
];

type Container = unknown[] | Record<string, unknown>;

/** @param value is changed in place where it can be */
function mutated(
  random: SeededRandom,
  value: unknown,
  values: readonly ((random: SeededRandom) => unknown)[],
): unknown {
  const root = { value };
  for (let times = random.pick([1, 1, 1, 2, 4]); times > 0; times--) {
    const places: [Container, string][] = [];
    gather(root, places);
    if (places.length === 0) break;
    const [container, name] = random.pick(places);
    change(random, container, name, places, values);
  }
  return Array.isArray(value) && !Array.isArray(root.value) ? [root.value] : root.value;
}

function change(
  random: SeededRandom,
  container: Container,
  name: string,
  places: readonly [Container, string][],
  values: readonly ((random: SeededRandom) => unknown)[],
): void {
  const action = random.below(10);
  if (action === 0) {
    // In an array, the elements behind it come nearer.
    if (Array.isArray(container)) container.splice(Number(name), 1);
    else delete container[name];
  } else if (action === 1 && Array.isArray(container)) {
    const copies = Array(random.pick([1, 3, 1000])).fill(container[Number(name)]);
    container.splice(Number(name), 0, ...copies);
  } else if (action === 2 && !Array.isArray(container)) {
    set(
      container,
      random.pick(['__proto__', 'constructor', 'toString', '', '0', 'version']),
      random.pick(values)(random),
    );
  } else if (action === 3) {
    const [from, of] = random.pick(places);
    set(container, name, structuredClone(get(from, of)));
  } else if (action === 4) {
    const number = get(container, name);
    set(container, name, typeof number === 'number' ? nudged(random, number) : random.pick(values)(random));
  } else {
    set(container, name, random.pick(values)(random));
  }
}

function nudged(random: SeededRandom, number: number): number {
  return random.pick([number + 1, number - 1, number + 0.5, -number, number * 2, number * 2 ** 32]);
}

function gather(value: unknown, places: [Container, string][]): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || places.length > 5000) return;
  for (const name of Object.keys(value)) {
    places.push([value as Container, name]);
    gather(get(value as Container, name), places);
  }
}

function get(container: Container, name: string): unknown {
  return Object.getOwnPropertyDescriptor(container, name)?.value;
}

function set(container: Container, name: string, value: unknown): void {
  Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
}
