import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dumpOutline, outlineBytes, storedOutline } from './dump-outline.ts';

async function* pieces(text: string, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += length) yield Buffer.from(text.slice(at, at + length));
}

const outlineOf = (text: string, length = 1 << 16) =>
  dumpOutline(pieces(text, length), 'copy', new AbortController().signal);

describe('the outline of a dump', () => {
  it('has all definitions in their order, whatever their lengths, and comes back from where it is kept', async () => {
    const long = `CREATE FUNCTION public.long() RETURNS text LANGUAGE sql AS $$ SELECT '${'x'.repeat(3 << 20)}' $$;\n`;
    const many = Array.from({ length: 60_000 }, (_, at) => `CREATE TYPE public.t${at} AS ENUM ();\n`).join('');
    const copy = 'COPY public.t (id) FROM stdin;\n';
    const outline = await outlineOf(`${many}${copy}1\n2\n\\.\n${long}${many}`);
    const definitions = `${many}${copy}\\.\n${long}${many}`;
    assert.ok(outline.definitions.equals(Buffer.from(definitions)));
    assert.deepEqual(outline.blocks, [{ offset: many.length + copy.length, length: 4, rows: 2 }]);
    const stored = Buffer.concat([...outlineBytes(outline)]);
    assert.deepEqual(storedOutline(stored, 'copy')?.blocks, outline.blocks);
    assert.ok(storedOutline(stored, 'copy')?.definitions.equals(outline.definitions));
    assert.equal(storedOutline(stored, 'other'), undefined);
    assert.equal(storedOutline(stored.subarray(0, -1), 'copy'), undefined);
  });

  it('is refused of more statements or definitions than memory is there for', async () => {
    const refused = { code: 'download-choice-invalid' };
    await assert.rejects(outlineOf(';'.repeat(500_001)), { ...refused, message: /more than 500000 statements/ });
    assert.equal((await outlineOf(';'.repeat(500_000))).definitions.length, 500_000);
    const long = `CREATE TYPE public.t AS ENUM ('${'x'.repeat(32 << 20)}');\n`;
    await assert.rejects(outlineOf(`${long}${long}`), { ...refused, message: /definitions are more than/ });
  });
});
