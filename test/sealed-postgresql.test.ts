import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { type Ended, OLD, SEAL_ROLES, sealed, Target, TRICKY, whole } from './sealed-sql-rig.ts';

const CUTS = Number(process.env.HOLDFAST_SEAL_CUTS ?? 60);
/** Each with a database of its own, since a transaction waits for another that makes the same things. */
const AT_ONCE = 3;
const MODES = ['create', 'replace'] as const;

describe('a sealed PostgreSQL dump', { skip: SKIP_REASON }, () => {
  let server: PostgresqlServer;
  let dump: Buffer;
  const targets: Target[] = [];

  before(async () => {
    server = await PostgresqlServer.start();
    await server.sql('postgres', SEAL_ROLES);
    await target('source', TRICKY);
    dump = Buffer.from(await server.dump('source'), 'latin1');
  });
  after(async () => {
    for (const each of targets) await each.close();
    await server.remove();
  });

  async function target(database: string, script = ''): Promise<Target> {
    const made = await Target.make(server, database, script);
    targets.push(made);
    return made;
  }

  for (const mode of MODES)
    it(`cut anywhere, makes psql fail and changes nothing (${mode})`, async () => {
      const stream = await whole(sealed(dump, mode));
      const begins = stream.indexOf('\\if true\n') + '\\if true'.length;
      const committed = stream.lastIndexOf('COMMIT;');
      const old = mode === 'replace' ? OLD : '';
      const ends = await afterCuts(stream, cutsOf(stream), (n) => target(`cut_${mode}_${n}`, old));
      for (const { at, ended, isUnchanged } of ends) {
        const seen = `cut at byte ${at} of ${stream.length}: ${JSON.stringify(ended)}`;
        // The one silent case: psql has not yet been told of anything that must come to an end. Nothing was done by then.
        if (at < begins) assert.ok(isUnchanged, seen);
        else if (at < stream.lastIndexOf('\\endif') + '\\endif'.length) assert.notEqual(ended.exitCode, 0, seen);
        // At the end of its input psql runs a last statement that lacks its semicolon.
        if (at < committed + 'COMMIT'.length) assert.ok(isUnchanged, seen);
      }
      const silent = ends.filter(({ ended }) => ended.exitCode === 0).map(({ at }) => at);
      assert.ok(
        silent.every((at) => at <= begins || at >= stream.lastIndexOf('\\endif') + '\\endif'.length),
        `${silent}`,
      );
    });

  it('is what makes the difference: the plain dump cut at the same places is taken for whole', async () => {
    const at = dump.indexOf('\n', dump.indexOf('COPY sales.users') + 200) + 1;
    const into = await target('unsealed');
    const before = await into.fingerprint();
    const ended = await into.psql(dump.subarray(0, at), '-v', 'ON_ERROR_STOP=1');
    assert.equal(ended.exitCode, 0);
    assert.notEqual(await into.fingerprint(), before);
  });
});

interface CutEnd {
  at: number;
  ended: Ended;
  isUnchanged: boolean;
}

/** After each statement and each line that is a command, and at random places. */
function cutsOf(stream: Buffer): number[] {
  const cuts = new Set<number>([0]);
  for (let at = stream.indexOf('\n'); at >= 0; at = stream.indexOf('\n', at + 1)) {
    const line = stream.subarray(stream.lastIndexOf('\n', at - 1) + 1, at);
    if (line.at(-1) === 0x3b || line[0] === 0x5c) cuts.add(at + 1);
  }
  for (let n = 0; n < CUTS / MODES.length; n++) cuts.add(Math.floor(Math.random() * stream.length));
  return [...cuts].sort((a, b) => a - b);
}

async function afterCuts(
  stream: Buffer,
  cuts: readonly number[],
  makeTarget: (n: number) => Promise<Target>,
): Promise<CutEnd[]> {
  const waiting = [...cuts];
  const ends: CutEnd[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, n) => {
      let [target, made] = [await makeTarget(n), 0];
      let before = await target.fingerprint();
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        const ended = await target.psql(stream.subarray(0, at));
        const isUnchanged = (await target.fingerprint()) === before;
        ends.push({ at, ended, isUnchanged });
        if (isUnchanged) continue;
        target = await makeTarget(n + AT_ONCE * ++made);
        before = await target.fingerprint();
      }
    }),
  );
  return ends;
}
