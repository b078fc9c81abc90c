import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { databasePiece } from '../src/services/sqlite/log-facts.ts';
import { check, drillOf, outcomes } from './drill-rig.ts';
import { flip } from './flipped-bytes.ts';
import { SqliteLogRig } from './sqlite-log-rig.ts';
import { FILLER, makeDatabase } from './sqlite-rig.ts';

const NOTES = { sql: 'SELECT group_concat(what) FROM notes' };

describe('restore drills of SQLite databases whose log is kept', () => {
  let rig: SqliteLogRig;
  let file: string;
  before(async () => {
    rig = await SqliteLogRig.create();
    file = rig.place('shop.db');
    makeDatabase(file, `PRAGMA journal_mode=wal; ${FILLER} CREATE TABLE notes (what TEXT);`);
    await rig.follow(file);
    await rig.backUp();
    await note('one');
    await note('two');
  });
  after(() => rig.remove());
  afterEach(async () => {
    assert.deepEqual(await rig.leftovers(), []);
  });

  async function note(what: string): Promise<void> {
    makeDatabase(file, `INSERT INTO notes VALUES ('${what}')`);
    await rig.reached(Date.now() + 2);
  }
  const newestPiece = async () => (await rig.pieces()).map(databasePiece).at(-1)!;

  test('put its newest state together, check that, and ask it what the user asserts', async () => {
    const committed = new Date().toISOString();
    await rig.reached(Date.now() + 2);
    const { drill } = await drillOf(rig.managed, 'shop', { assertions: [{ ...NOTES, equals: 'one,two' }] });
    assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
    assert.deepEqual(outcomes(drill), [
      'log-state passed',
      'log passed',
      'integrity-check passed',
      'assertion passed',
      'checksum passed',
      'integrity-check passed',
      'row-counts passed',
    ]);
    const { to, state } = await newestPiece();
    assert.match(check(drill, 'log-state')?.found ?? '', new RegExp(`^state ${to} of .*, sum ${state}`));
    assert.equal(drill.recoveryPoint.log?.position, String(to));
    assert.ok((drill.recoveryPoint.log?.at ?? '') >= committed);
    assert.ok(
      drill.recoveryPoint.ageMilliseconds < Date.parse(drill.createdAt) - Date.parse(drill.recoveryPoint.createdAt),
    );
  });

  test('fail where a piece is missing, and say so, with the backup checked all the same', async () => {
    await note('three');
    await note('four');
    const pieces = (await rig.pieces()).map(databasePiece);
    const removed = pieces.find(({ to }) => to === pieces.at(-1)!.from)!;
    await rig.managed.application.logs.of('shop').remove([removed.piece]);
    const { drill } = await drillOf(rig.managed, 'shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'log-state')?.found ?? '', /^No pieces of the log lead to its newest state/);
    assert.equal(check(drill, 'checksum')?.outcome, 'passed');
  });

  test('fail where a piece is damaged, and name it', async () => {
    // A new beginning, from which the newest state can be reached.
    await rig.backUp();
    await note('five');
    const { piece } = await newestPiece();
    await flip(rig.repositoryFolder, `snapshots/${piece.id}`, -5);
    const { drill } = await drillOf(rig.managed, 'shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'log-state')?.found ?? '', new RegExp(piece.id));
  });

  test('fail where what comes together is not what was seen, although every piece can be read', async () => {
    await rig.backUp();
    await note('six');
    await rig.unfollow();
    const log = rig.managed.application.logs.of('shop');
    const { piece, to, state } = await newestPiece();
    const facts = { ...piece.facts, state: state.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
    await log.append({ from: String(to), to: String(to + 1), facts, content: [await log.read(piece)] });
    const { drill } = await drillOf(rig.managed, 'shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'log-state')?.found ?? '', /not as it was seen at/);
  });
});
