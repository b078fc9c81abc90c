import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { SqliteLogRig } from './sqlite-log-rig.ts';
import { query } from './sqlite-rig.ts';

describe('a SQLite database whose changes are followed', () => {
  let rig: SqliteLogRig;

  beforeEach(async () => {
    rig = await SqliteLogRig.create();
  });
  afterEach(() => rig.remove());

  for (const mode of ['wal', 'delete'] as const)
    test(`is restored to any moment with what was committed by then, and nothing else (${mode})`, async () => {
      const file = rig.place(`busy-${mode}.db`);
      const rows = await rig.startRows(file, mode);
      await rig.follow(file);
      const backup = await rig.backUp();
      await sleep(6000);
      await eventually(async () => (await rig.pieces()).length > 2, 'the changes were not seen');
      const end = Date.now();
      await rig.reached(end);
      const commits = await rows.stop();
      const pieces = await rig.pieces();
      for (let round = 0; round < 5; round++) {
        const moment = end - Math.floor(Math.random() * 5000);
        const target = rig.place(`restored-${round}.db`);
        const { result } = await rig.restoreTo(new Date(moment), { target });
        const [found] = query(
          target,
          'SELECT count(*) AS rows, max(n) AS last, (SELECT count(*) FROM pairs) AS pairs FROM numbered',
        );
        const last = Number(found?.last);
        assert.deepEqual(found, { rows: last, last, pairs: last });
        // On a busy machine the backup can be the newest state.
        if (result?.stateAt === undefined) assert.deepEqual([result?.begunWith, result?.logPieces], [backup.id, 0]);
        else assert.ok(Date.parse(String(result.stateAt)) <= moment, `${result.stateAt}, and ${moment} was asked for`);
        // How long a look takes is the machine's business; what was committed before the last one by then must be there.
        const next = pieces.find(({ facts }) => Date.parse(String(facts.at)) > moment);
        const looked = next === undefined ? moment : Date.parse(String(next.facts.unchangedUntil));
        const surely = commits.findLast(({ at }) => at < looked)?.n ?? 0;
        assert.ok(
          last >= surely,
          `row ${surely} was committed before the look of ${looked}, and ${last} is the last one`,
        );
        const later = commits.find(({ begun }) => begun > moment)?.n ?? Infinity;
        assert.ok(last < later, `row ${later} was begun after ${moment}, and ${last} is there`);
        assert.deepEqual(query(target, 'PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
      }
    });
});
