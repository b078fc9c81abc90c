import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { drillReport } from '../src/reports/drill-report.ts';
import { databasePiece } from '../src/services/sqlite/log-facts.ts';
import { check, drillOf, outcomes } from './drill-rig.ts';
import { eventually } from './eventually.ts';
import { flip } from './flipped-bytes.ts';
import { SqliteLogRig } from './sqlite-log-rig.ts';
import { FILLER, makeDatabase } from './sqlite-rig.ts';

const NOTES = { sql: 'SELECT group_concat(what) FROM notes' };

describe('restore drills of SQLite databases whose log is kept', () => {
  let rig: SqliteLogRig;
  let file: string;
  /** Between the first note and the second one. */
  let betweenNotes: string;
  before(async () => {
    rig = await SqliteLogRig.create();
    file = rig.place('shop.db');
    makeDatabase(file, `PRAGMA journal_mode=wal; ${FILLER} CREATE TABLE notes (what TEXT);`);
    await rig.follow(file);
    await rig.backUp();
    await note('one');
    betweenNotes = new Date().toISOString();
    await rig.reached(Date.now() + 2);
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

  test('put the state of a moment together, and ask it what the user asserts', async () => {
    const request = { moment: betweenNotes, assertions: [{ ...NOTES, equals: 'one' }] };
    const { drill } = await drillOf(rig.managed, 'shop', request);
    assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
    assert.equal(drill.moment?.at, betweenNotes);
    assert.ok((drill.moment?.reached?.at ?? '9') <= betweenNotes);
    assert.equal(check(drill, 'log-state')?.outcome, 'passed');
    assert.equal(drill.recoveryPoint.log, undefined);
  });

  test('put the state of a moment together that nobody chose', async () => {
    const { drill } = await drillOf(rig.managed, 'shop', { moment: 'random' });
    assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
    const { which, at = '' } = drill.moment ?? {};
    assert.equal(which, 'random');
    assert.ok(at >= drill.backup.createdAt && at <= drill.createdAt, at);
  });

  test('restore to another moment each time, where a schedule says so, and its report tells which', async () => {
    const { schedules, drills } = rig.managed.application;
    const newest = async () => (await drills.list({ resourceId: 'shop' }, { limit: 1 })).items[0];
    await schedules.put({ id: 'moments', resourceId: 'shop', cron: '* * * * * *', kind: 'drill', moment: 'random' });
    await eventually(async () => (await newest())?.createdBy === 'schedule:moments', 'the schedule started no drill');
    await schedules.delete('moments');
    const drill = await newest();
    assert.deepEqual([drill?.outcome, drill?.which, drill?.moment?.which], ['passed', 'moment', 'random']);
    assert.match(drillReport(drill!, ''), new RegExp(`<dt>Moment</dt><dd>${drill?.moment?.at}, chosen at random</dd>`));
  });

  test('are refused for moments that no backup and no log lead to', async () => {
    for (const moment of ['2020-01-01T00:00:00Z', new Date(Date.now() + 60_000).toISOString()])
      await assert.rejects(drillOf(rig.managed, 'shop', { moment }), { code: 'moment-not-in-log' });
  });

  test('fail where a piece is missing, and say so, with the backup checked all the same', async () => {
    await note('three');
    const behindThree = new Date().toISOString();
    await note('four');
    const pieces = (await rig.pieces()).map(databasePiece);
    const removed = pieces.find(({ to }) => to === pieces.at(-1)!.from)!;
    await rig.managed.application.logs.of('shop').remove([removed.piece]);
    const { drill } = await drillOf(rig.managed, 'shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'log-state')?.found ?? '', /^No pieces of the log lead to the newest state of the log, /);
    assert.equal(check(drill, 'checksum')?.outcome, 'passed');
    const { drill: ofMoment } = await drillOf(rig.managed, 'shop', { moment: behindThree });
    assert.deepEqual(
      [ofMoment.outcome, ofMoment.fault, ofMoment.error?.code],
      ['failed', 'backup', 'log-piece-missing'],
    );
    assert.match(ofMoment.error?.message ?? '', new RegExp(`state ${removed.from} to ${removed.to} is not there`));
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
