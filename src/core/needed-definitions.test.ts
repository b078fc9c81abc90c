import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseNeeded, type NeedableDefinition } from './needed-definitions.ts';

const STATEMENTS: Readonly<Record<string, NeedableDefinition & { sql: string }>> = {
  first: { kind: 'FUNCTION', schema: 'app', name: 'first', sql: 'SELECT "app"."se""cond"()' },
  second: { kind: 'FUNCTION', schema: 'app', name: 'se"cond', sql: 'x OPERATOR(app.+++) y' },
  plus: { kind: 'OPERATOR', schema: 'app', name: '+++', sql: '' },
  again: { kind: 'FUNCTION', schema: 'app', name: 'first', sql: '' },
  parent: { kind: 'TABLE', schema: 'public', name: 'parent', sql: '' },
  named: { kind: 'TABLE', schema: 'public', name: 'named', sql: '' },
  Größe: { kind: 'TYPE', schema: 'app', name: 'Größe', sql: '' },
  bare: { kind: 'TYPE', schema: 'app', name: 'first_not', sql: '' },
};

async function needed(sql: string, isAllGiven: boolean): Promise<string[]> {
  const chosen = new Set(['begun']);
  await chooseNeeded(chosen, new Map(Object.entries(STATEMENTS)), async (added) =>
    [...(isAllGiven ? chosen : added)].map((name) => STATEMENTS[name]?.sql ?? sql).join('\n'),
  );
  return [...chosen].slice(1).sort();
}

describe('what definitions need', () => {
  for (const isAllGiven of [true, false])
    it(`is found by names, and what that needs as well, where ${isAllGiven ? 'all' : 'what was added'} is looked at`, async () => {
      const of = (sql: string) => needed(sql, isAllGiven);
      assert.deepEqual(await of('EXECUTE app.first()'), ['again', 'first', 'plus', 'second']);
      assert.deepEqual(await of('$$app.first()$$'), ['again', 'first', 'plus', 'second']);
      assert.deepEqual(await of(`'12" "app"."se""cond"'`), ['plus', 'second']);
      assert.deepEqual(await of('app."Größe", xapp.first, app.firsts, app .first'), ['Größe']);
      assert.deepEqual(await of('SELECT public.named\nINHERITS (public.parent)'), ['parent']);
    });

  it('is found in time that grows with the text, whatever words and quotes stand there', async () => {
    const begun = process.cpuUsage();
    for (const text of ['a', 'ä1', '"', 'a$', '"a', 'a""', '"""a', '$', '""""a'])
      assert.deepEqual(await needed(`${text.repeat(400_000 / text.length)} app."Größe"`, true), ['Größe'], text);
    const { user, system } = process.cpuUsage(begun);
    assert.ok(user + system < 20e6, `${(user + system) / 1e6} s`);
  });
});
