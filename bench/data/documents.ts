import { dumpTextBlocks } from './dump-text.ts';
import { RandomNumbers } from './random-numbers.ts';

/** The body of `POST /backups` for a full backup of about `bytes` bytes; equal arguments give equal bodies. */
export function postedDocument(resourceId: string, bytes: number, seed: number, revision: number): string {
  return backupRequest(resourceId, 'full', `{"orders":${recordArray(bytes, seed)},"revision":${revision}}`);
}

/** @param data canonical JSON text */
export function backupRequest(resourceId: string, type: 'full' | 'incremental', data: string): string {
  return `{"resourceId":"${resourceId}","resourceType":"benchmark","type":"${type}","data":${data}}`;
}

/**
 * A document of about `bytes` bytes: an array of records such as an export of a table gives, as canonical JSON text.
 *
 * @param edited changes one record in a hundred, spread over all of them
 */
export function largeDocument(bytes: number, seed: number, edited: boolean): string {
  const random = new RandomNumbers(seed, 1);
  const records = [];
  for (const record of recordTexts(bytes, seed)) {
    const change = random.below(100) === 0 && edited;
    records.push(change ? record.replace('"state":"', '"state":"re-') : record);
  }
  return `{"orders":[${records.join(',')}]}`;
}

const arrays = new Map<string, string>();

/** Remembered: clients post the same records again and again under another revision. */
function recordArray(bytes: number, seed: number): string {
  const key = `${bytes} ${seed}`;
  let text = arrays.get(key);
  if (text === undefined) {
    text = `[${[...recordTexts(bytes, seed)].join(',')}]`;
    arrays.set(key, text);
  }
  return text;
}

function* recordTexts(bytes: number, seed: number): Generator<string> {
  let made = 0;
  for (const block of dumpTextBlocks(bytes, seed)) {
    for (const line of block.toString('latin1').split('\n')) {
      const [id, customer, email, city, createdAt, , total, state, token, remark] = line.split('\t');
      if (remark === undefined) continue;
      const text = JSON.stringify({ city, createdAt, customer, email, id, remark, state, token, total });
      if (made + text.length > bytes) return;
      made += text.length + 1;
      yield text;
    }
  }
}
