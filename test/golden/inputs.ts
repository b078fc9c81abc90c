import { createHash } from 'node:crypto';

/** Bytes that look random and are the same everywhere: SHA-256 of the seed and a counter, joined. */
export function pseudoRandom(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++)
    blocks.push(createHash('sha256').update(`${seed} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Text that compresses, with numbers in it that do not repeat. */
export function dumpLike(seed: string, length: number): Buffer {
  const lines: string[] = [];
  let size = 0;
  for (let index = 0; size < length; index++) {
    const digest = createHash('sha256').update(`${seed} ${index}`).digest('hex');
    const line = `INSERT INTO orders (id, customer, token, state) VALUES (${index}, ${index % 97}, '${digest.slice(0, 12)}', 'shipped');\n`;
    lines.push(line);
    size += line.length;
  }
  return Buffer.from(lines.join('')).subarray(0, length);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
