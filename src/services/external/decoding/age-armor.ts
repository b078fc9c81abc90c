import { damaged } from './decoding-faults.ts';
import { AGE_ARMOR_START } from './detection.ts';

const END = '-----END AGE ENCRYPTED FILE-----';
const FULL_LINE = /^[A-Za-z0-9+/]{64}$/;
const LAST_LINE = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The bytes of an armored age file (https://c2sp.org/age#ascii-armor): lines of 64 characters, of which only the last may be
 * shorter. The library takes such a file only as a whole.
 */
export async function* unarmored(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = '';
  let state: 'start' | 'lines' | 'last' | 'end' = 'start';
  const take = (line: string): string => {
    if (state === 'start' && line === AGE_ARMOR_START) state = 'lines';
    else if ((state === 'lines' || state === 'last') && line === END) state = 'end';
    else if (state === 'lines' && FULL_LINE.test(line)) return line;
    else if (state === 'lines' && line.length > 0 && line.length <= 64 && LAST_LINE.test(line)) {
      state = 'last';
      return line;
    } else if (state !== 'end' || line.trim() !== '') throw damaged('age');
    return '';
  };
  for await (const chunk of source) {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_LINE) throw damaged('age');
    const bytes = Buffer.from(lines.map((line) => take(line.replace(/\r$/, ''))).join(''), 'base64');
    if (bytes.length > 0) yield bytes;
  }
  take(rest.trim());
  // The end line's own characters stand for whether all lines came.
  if ((state as string) !== 'end') throw damaged('age');
}

const MOST_LINE = 1024;
