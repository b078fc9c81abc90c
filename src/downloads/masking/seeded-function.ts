import { viewed } from './byte-values.ts';
import { Pseudonyms } from './pseudonym.ts';
import type { SeededOutput, SeededValue } from './seeded-output.ts';
import type { ValueFunction } from './transformer.ts';

/** Makes the outputs of one value after the other. @param key of the domain */
export function seededFunction(output: SeededOutput, key: Uint8Array): ValueFunction {
  const pseudonyms = new Pseudonyms(key);
  const [bytes, out] = [Buffer.alloc(SCRATCH_BYTES), viewed(Buffer.alloc(SCRATCH_BYTES))];
  const seen: SeededValue = { bytes, start: 0, end: 0, pseudonyms: bytes, seed: 0 };
  return (value) => {
    if (value.length * 3 <= bytes.length) {
      seen.bytes = bytes;
      seen.end = bytes.write(value, 'utf8');
    } else {
      seen.bytes = Buffer.from(value);
      seen.end = seen.bytes.length;
    }
    seen.pseudonyms = pseudonyms.ofBytes(seen.bytes, 0, seen.end);
    const room = output.room(seen.end);
    const written = room <= out.bytes.length ? out : viewed(Buffer.alloc(room));
    const length = output.write(seen, written, 0);
    return written.bytes.toString(output.isPlain ? 'latin1' : 'utf8', 0, length);
  };
}

const SCRATCH_BYTES = 4096;
