import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../src/adapters/http/serve.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { CaptureContext, LogPiece, ServiceLog } from '../src/core/ports/resource-log.ts';
import type { BackupContext, RestoreContext } from '../src/core/ports/service.ts';
import type { Resource } from '../src/core/resource.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { eventually } from './eventually.ts';
import {
  bytesOf,
  DAY,
  type ManagedApplication,
  openManagedApplication,
  temporaryFolder,
} from './managed-application.ts';
import { ScriptedSource } from './scripted-source.ts';

/** A source whose log are lines that a test writes. */
class LoggingSource extends ScriptedSource {
  override readonly name = 'logging';
  readonly lines: string[] = [];
  readonly released: string[] = [];
  readonly restores: Pick<RestoreContext, 'moment' | 'log' | 'backup'>[] = [];
  failures = 0;

  override parseConfiguration(configuration?: unknown): Readonly<Record<string, unknown>> {
    return configuration as Readonly<Record<string, unknown>>;
  }

  readonly log: ServiceLog = {
    isKept: ({ kept }) => kept === true,
    capture: (context) => this.#capture(context),
    release: async ({ id }: Resource, now?: Resource) =>
      void this.released.push(now === undefined ? id : `part of ${id}`),
    outlivesBackups: ({ facts }: LogPiece, oldest) => facts.kind === 'history' || facts.kind === oldest?.needs,
  };

  override async backup(context: BackupContext) {
    return { ...(await super.backup(context)), serviceData: { needs: 'needed' } };
  }

  override async restore(context: RestoreContext) {
    this.restores.push(context);
    return { report: {} };
  }

  async #capture({ log, signal, report, warn }: CaptureContext): Promise<void> {
    let next = Number((await log.pieces()).at(-1)?.to ?? 0);
    while (!signal.aborted) {
      if (this.failures > 0) {
        this.failures--;
        throw new HoldfastError('unavailable', 'source-gone', 'The source does not answer.');
      }
      const line = this.lines[next];
      if (line === undefined) {
        await sleep(5);
        continue;
      }
      if (line === 'odd') warn('an odd line');
      await log.append({ from: `${next}`, to: `${next + 1}`, facts: { kind: line }, content: [Buffer.from(line)] });
      next++;
      report({ position: `${next}`, lagBytes: this.lines.length - next });
    }
  }
}

describe('the log of a resource', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  let source: LoggingSource;

  beforeEach(async () => {
    place = await temporaryFolder();
    source = new LoggingSource();
    managed = await openManagedApplication(place.folder, { services: [source, createStreamService()] });
    await managed.application.startBackground();
    await managed.application.resources.put({ id: 'shop', service: 'logging', configuration: { kept: true } });
  });
  afterEach(async () => {
    await managed.application.close();
    await place.remove();
  });

  const stored = async () => managed.application.logs.of('shop').pieces();
  const storedAll = (count: number) =>
    eventually(async () => (await stored()).length === count, `it did not come to ${count} pieces`);

  async function backUp(): Promise<string> {
    const { application } = managed;
    const { id } = await application.backups.start({ resourceId: 'shop', createdBy: 'test' });
    const operation = await application.operations.wait(id, 10_000);
    assert.equal(operation.status, 'completed');
    return operation.backupId ?? '';
  }

  test('is followed from where it stands as soon as the configuration asks for it, and each piece reads back', async () => {
    source.lines.push('one', 'two');
    await storedAll(2);
    const log = managed.application.logs.of('shop');
    const pieces = await log.pieces();
    assert.deepEqual(
      pieces.map(({ from, to }) => [from, to]),
      [
        ['0', '1'],
        ['1', '2'],
      ],
    );
    assert.equal((await log.read(pieces[1]!)).toString(), 'two');
    await eventually(
      async () => (await managed.application.logs.overview('shop')).capture?.progress?.position === '2',
      'it did not come to 2',
    );
    const { capture, ...overview } = await managed.application.logs.overview('shop');
    assert.deepEqual([overview.kept, overview.pieces, overview.from, overview.to], [true, 2, '0', '2']);
    assert.equal(capture?.status, 'running');
    await managed.application.resources.put({ id: 'shop', service: 'logging', configuration: { kept: true, a: 1 } });
    source.lines.push('three');
    await storedAll(3);
    assert.deepEqual(source.released, ['part of shop']);
  });

  test('is begun again after a failure, which is told once and shown in health until all is well', async () => {
    source.failures = 2;
    await eventually(
      () => managed.application.logs.captures().get('shop')?.lastError?.code === 'source-gone',
      'no failure was told',
    );
    assert.equal((await managed.application.health()).status, 'degraded');
    source.lines.push('odd');
    await storedAll(1);
    await eventually(async () => (await managed.application.health()).status === 'ok', 'health stayed bad');
    const told = managed.notifications.filter(({ type }) => type === 'log-failed').map(({ message }) => message);
    assert.equal(told.length, 2);
    assert.match(told[0]!, /The source does not answer/);
    assert.match(told[1]!, /an odd line/);
  });

  test('is let go of, with what the source keeps for it, when it is no longer wanted', async () => {
    await eventually(() => managed.application.logs.captures().has('shop'), 'no capture began');
    await managed.application.resources.put({ id: 'shop', service: 'logging', configuration: { kept: false } });
    await eventually(() => source.released.length === 1, 'the source was not let go of');
    assert.equal(managed.application.logs.captures().size, 0);
    await managed.application.resources.put({ id: 'shop', service: 'logging', configuration: { kept: true } });
    source.lines.push('one');
    await storedAll(1);
    await managed.application.resources.delete('shop', { cascade: false, by: 'test' });
    await eventually(() => source.released.length === 2, 'the source was not let go of');
    assert.deepEqual(await stored(), []);
    assert.equal((await managed.repository.listTrash()).length, 1);
  });

  test('leaves no piece behind that nobody could delete, whichever side of the deletion it is appended on', async () => {
    const { application, catalogue, repository } = managed;
    const piece = { from: '0', to: '1', facts: { kind: 'late' } };
    const late = application.logs.of('shop').append({
      ...piece,
      content: async (writer) => {
        await application.resources.delete('shop', { cascade: false, by: 'test' });
        return writer.writeStream(bytesOf('late'));
      },
    });
    await assert.rejects(late, { code: 'resource-not-found' });
    assert.deepEqual(await stored(), []);

    await application.resources.put({ id: 'shop', service: 'logging', configuration: { kept: false } });
    const remove = catalogue.resources.delete;
    catalogue.resources.delete = async (id) => {
      await application.logs.of('shop').append({ ...piece, content: [Buffer.from('just before')] });
      return remove(id);
    };
    await application.resources.delete('shop', { cascade: false, by: 'test' });
    assert.deepEqual(await stored(), []);
    assert.deepEqual(await repository.listSnapshots(), []);
  });

  test('is not among the backups unless asked for by its name, and no piece is deleted or made to expire by hand', async () => {
    source.lines.push('one');
    await storedAll(1);
    const { backups, totals } = managed.application;
    assert.equal((await backups.list({}, { limit: 10 })).items.length, 0);
    assert.equal((await totals()).backups, 0);
    assert.equal((await totals()).newest, undefined);
    const [piece] = (await backups.list({ resourceId: 'shop~log' }, { limit: 10 })).items;
    assert.equal((await backups.validate(piece!.id)).valid, true);
    const deleting = backups.delete(piece!.id, { cascade: true, reason: 'test', by: 'test' });
    await assert.rejects(deleting, { code: 'log-piece-needed' });
    await assert.rejects(backups.update(piece!.id, { retentionDays: 1 }), { code: 'log-piece-needed' });
  });

  test('goes with the oldest backup that needs it, but for what outlives backups', async () => {
    source.lines.push('history', 'before', 'needed');
    await storedAll(3);
    managed.advance(DAY);
    const backupId = await backUp();
    source.lines.push('after');
    await storedAll(4);
    await managed.application.policies.cleanUp('test');
    assert.deepEqual(
      (await stored()).map(({ facts }) => facts.kind),
      ['history', 'needed', 'after'],
    );
    await managed.application.backups.delete(backupId, { cascade: false, reason: 'test', by: 'test' });
    await managed.application.policies.cleanUp('test');
    assert.equal((await stored()).length, 3);
    managed.advance(8 * DAY);
    await managed.application.policies.cleanUp('test');
    assert.deepEqual(
      (await stored()).map(({ facts }) => facts.kind),
      ['history'],
    );
  });

  test('leads to a moment from the newest backup that was complete by then', async () => {
    const first = await backUp();
    managed.advance(DAY);
    const between = managed.now().toISOString();
    managed.advance(DAY);
    await backUp();
    const { restores, operations } = managed.application;
    const started = await restores.restorePointInTime({ resourceId: 'shop', timestamp: between, createdBy: 'test' });
    await operations.wait(started.operation.id, 10_000);
    assert.equal(source.restores[0]?.backup.id, first);
    assert.equal(source.restores[0]?.moment, between);
    assert.deepEqual(await source.restores[0]?.log?.pieces(), []);
    const early = restores.restorePointInTime({
      resourceId: 'shop',
      timestamp: '2020-01-01T00:00:00Z',
      createdBy: 'test',
    });
    await assert.rejects(early, { code: 'no-backup-at-time' });
    const astray = { resourceId: 'shop', timestamp: between, targetResourceId: 'nowhere', createdBy: 'test' };
    await assert.rejects(restores.restorePointInTime(astray), { code: 'restore-target-not-found' });
    assert.equal((await restores.list({}, { limit: 10 })).items.length, 1);
  });

  test('is listed again where the catalogue was lost, and makes no resource of its own', async () => {
    source.lines.push('one');
    await storedAll(1);
    const [piece] = await stored();
    await managed.catalogue.backups.delete(piece!.id);
    assert.deepEqual(await stored(), []);
    assert.deepEqual(await managed.application.repositories.compare('default'), { unknown: 1, gone: 0 });
    await managed.application.repositories.reconcile('default');
    assert.deepEqual(await managed.application.repositories.compare('default'), { unknown: 0, gone: 0 });
    assert.deepEqual(await stored(), [piece]);
    const { items } = await managed.application.resources.list({ limit: 10 });
    assert.deepEqual(
      items.map(({ id }) => id),
      ['shop'],
    );
  });

  test('is shown by the API, piece by piece and as a whole, with how far behind it is', async () => {
    const server = await serve(managed.application, managed.configuration);
    try {
      source.lines.push('one', 'two');
      await eventually(
        () => managed.application.logs.captures().get('shop')?.progress?.position === '2',
        'it did not come to 2',
      );
      const get = async (path: string) =>
        (await fetch(`${server.url}${path}`)).json() as Promise<Record<string, unknown>>;
      const overview = await get('/resources/shop/log');
      assert.deepEqual([overview.kept, overview.pieces, overview.bytes, overview.to], [true, 2, 6, '2']);
      assert.equal((await get('/resources/nothing/log')).status, 404);
      const pieces = (await get('/backups?resourceId=shop~log')) as unknown as { log: { to: string } }[];
      assert.deepEqual(
        pieces.map(({ log }) => log.to),
        ['2', '1'],
      );
      assert.deepEqual(await get('/backups'), []);
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      assert.match(metrics, /^holdfast_log_lag_bytes\{resource="shop"\} 0$/m);
      assert.match(metrics, /^holdfast_log_followed\{resource="shop"\} 1$/m);
    } finally {
      await server.close();
    }
  });
});
