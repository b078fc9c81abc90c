import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dumpEntries } from './dump-entries.ts';

describe('the statements of a dump', () => {
  it('are read while other work goes on, and no further when nobody wants them any more', async () => {
    const table = (_: unknown, at: number) => `CREATE TABLE public.t${at} (\n    id integer NOT NULL\n);\n\n`;
    const definitions = Buffer.from(Array.from({ length: 3000 }, table).join(''));
    const { entries } = await dumpEntries({ definitions, blocks: [] }, new AbortController().signal);
    assert.equal(entries.length, 3000 + 1);
    const gone = new AbortController();
    setTimeout(() => gone.abort(new Error('gone')), 1);
    await assert.rejects(dumpEntries({ definitions, blocks: [] }, gone.signal), { message: 'gone' });
  });
});
