import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FollowedCluster } from './followed-cluster.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

describe('a cluster that the service follows', {
  skip: SKIP_REASON || SKIP_CLOSED_CHECKOUT,
  timeout: 1_200_000,
}, () => {
  follow(SERVER_PROGRAMS ?? '');
});

describe('a cluster of PostgreSQL 18 that the service follows', { skip: SKIP_REASON_18, timeout: 1_200_000 }, () => {
  follow(POSTGRESQL_18_PROGRAMS);
});

function follow(programs: string): void {
  let cluster: FollowedCluster;
  before(async () => {
    cluster = await FollowedCluster.create(programs);
  });
  after(() => cluster.remove());

  test('is restored to five random moments with exactly the rows that were committed by then', async () => {
    await cluster.call('POST', '/backups', { resourceId: 'shop' });
    const commits = await cluster.commitRows(6000);
    for (let round = 0; round < 5; round++) {
      const moment = commits[Math.floor(Math.random() * commits.length)]?.at ?? '';
      const wanted = commits.filter(({ at }) => at <= moment).map(({ id }) => id);
      assert.deepEqual(await cluster.rowsAt(moment), wanted, moment);
    }
  });
}
