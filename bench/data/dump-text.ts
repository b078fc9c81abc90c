import { RandomNumbers } from './random-numbers.ts';
import { CITIES, FIRST_NAMES, LAST_NAMES, STATES, WORDS } from './word-lists.ts';

const LINES_IN_BLOCK = 400;

/**
 * Repeatable text such as a database dump holds: `COPY` data with rising ids, names, times, numbers, hashes and sentences.
 * zstd at level 3 makes about a quarter of it. Blocks end with a line, except the last one, which is cut to fit.
 *
 * @param bytes length of all blocks together
 */
export function* dumpTextBlocks(bytes: number, seed: number): Generator<Buffer> {
  const random = new RandomNumbers(seed);
  let left = bytes;
  for (let firstId = 1; left > 0; firstId += LINES_IN_BLOCK) {
    let text = firstId % (LINES_IN_BLOCK * 500) === 1 ? copyStatement(firstId) : '';
    for (let id = firstId; id < firstId + LINES_IN_BLOCK; id++) text += orderLine(id, random);
    const block = Buffer.from(text, 'latin1');
    yield block.length > left ? block.subarray(0, left) : block;
    left -= block.length;
  }
}

function copyStatement(firstId: number): string {
  const table = `orders_${String(Math.floor(firstId / LINES_IN_BLOCK / 500)).padStart(4, '0')}`;
  return `${firstId === 1 ? '' : '\\.\n\n'}COPY public.${table} (id, customer, email, city, created_at, updated_at, total, state, token, remark) FROM stdin;\n`;
}

function orderLine(id: number, random: RandomNumbers): string {
  const first = FIRST_NAMES[random.skewedBelow(FIRST_NAMES.length)] as string;
  const last = LAST_NAMES[random.skewedBelow(LAST_NAMES.length)] as string;
  const city = CITIES[random.skewedBelow(CITIES.length)];
  const state = STATES[random.skewedBelow(STATES.length)];
  const created = timeOf(id, random);
  const total = `${random.below(900)}.${twoDigits(random.below(100))}`;
  const token = random.next().toString(16).padStart(8, '0') + random.next().toString(16).padStart(8, '0');
  const name = `${first} ${last}`;
  const email = `${first}.${last}${random.below(100)}@example.org`;
  return `${id}\t${name}\t${email}\t${city}\t${created}\t${created}\t${total}\t${state}\t${token}\t${sentence(random)}\n`;
}

/** Orders come about every seven seconds of a year that repeats. */
function timeOf(id: number, random: RandomNumbers): string {
  const seconds = id * 7 + random.below(7);
  const day = Math.floor(seconds / 86_400) % 364;
  const hour = Math.floor(seconds / 3600) % 24;
  const minute = Math.floor(seconds / 60) % 60;
  const date = `2025-${twoDigits(1 + Math.floor(day / 31))}-${twoDigits(1 + (day % 28))}`;
  return `${date} ${twoDigits(hour)}:${twoDigits(minute)}:${twoDigits(seconds % 60)}+00`;
}

function sentence(random: RandomNumbers): string {
  let text = WORDS[random.skewedBelow(WORDS.length)] as string;
  for (let count = 4 + random.below(8); count > 0; count--) text += ` ${WORDS[random.skewedBelow(WORDS.length)]}`;
  return text;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
