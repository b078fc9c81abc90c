import { writeFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rotated } from './engine-jobs.ts';
import { folderBytes } from './folder-contents.ts';
import { HoldfastCommands } from './holdfast-commands.ts';
import { type Command, type Measurement, measureCommand } from './measured-command.ts';
import type { PostgresqlCluster } from './postgresql-cluster.ts';

export interface PhysicalSample extends Measurement {
  tool: Tool;
  job: 'first base backup' | 'again, 1 % of the rows changed' | 'restore';
  /** What it added to the repository, bytes; absent for restores. */
  addedBytes?: number;
}

export interface LoadSample {
  /** What followed the log meanwhile. */
  follower: 'nothing' | 'Holdfast' | 'pgBackRest';
  transactionsPerSecond: number;
  /** From the end of the load until all of its log was stored, seconds; absent where nothing followed it. */
  behindSeconds?: number;
}

/** As pgBackRest does, `Holdfast` reads the files beside the server; the other one has the server send them. */
type Tool = 'Holdfast' | 'Holdfast, by replication' | 'pgBackRest';

const RESOURCE = 'cluster';

/** Base backups, restores and the following of the log, by Holdfast in both of its ways and by pgBackRest, on the same server. */
export class PhysicalBench {
  readonly #cluster: PostgresqlCluster;
  readonly #workFolder: string;
  readonly #log: (line: string) => void;
  #holdfast: HoldfastCommands;
  #byReplication: HoldfastCommands;
  readonly #peer: PgBackRest;

  private constructor(options: PhysicalBenchOptions, [holdfast, byReplication]: BothWays, peer: PgBackRest) {
    this.#cluster = options.cluster;
    this.#workFolder = options.workFolder;
    this.#log = options.log;
    this.#holdfast = holdfast;
    this.#byReplication = byReplication;
    this.#peer = peer;
  }

  static async open(options: PhysicalBenchOptions): Promise<PhysicalBench> {
    const holdfast = await openBoth(options.workFolder, 1);
    const peer = await PgBackRest.open(options.cluster);
    const bench = new PhysicalBench(options, holdfast, peer);
    await bench.#configure();
    return bench;
  }

  async backups(rounds: number): Promise<PhysicalSample[]> {
    await this.#cluster.set('archive_command', this.#peer.archiveCommand);
    const samples: PhysicalSample[] = [];
    for (let round = 1; round <= rounds; round++) {
      if (round > 1) await this.#beginAnew(round);
      samples.push(...(await this.#backedUp('first base backup', 'full', round)));
    }
    for (let round = 1; round <= rounds; round++) {
      await this.#cluster.changeOnePercent('together', round);
      samples.push(...(await this.#backedUp('again, 1 % of the rows changed', 'incr', round)));
    }
    for (let round = 1; round <= rounds; round++) samples.push(...(await this.#restores(round)));
    await this.#cluster.set('archive_command', 'true');
    return samples;
  }

  /** New repositories of Holdfast's; pgBackRest makes a full backup beside its earlier ones. */
  async #beginAnew(round: number): Promise<void> {
    [this.#holdfast, this.#byReplication] = await openBoth(this.#workFolder, round);
    await this.#configure();
  }

  async #backedUp(job: PhysicalSample['job'], type: 'full' | 'incr', round: number): Promise<PhysicalSample[]> {
    this.#log(`base backup: ${job}, ${round} …`);
    const { repository } = this.#peer;
    const peer = () => this.#measured('pgBackRest', this.#peer.backup(type), repository);
    const ours = (tool: Tool, holdfast: HoldfastCommands) => () =>
      this.#measured(tool, holdfast.command('backup', '--resource', RESOURCE), holdfast.folder);
    const all = [peer, ours('Holdfast', this.#holdfast), ours('Holdfast, by replication', this.#byReplication)];
    const samples: PhysicalSample[] = [];
    for (const tool of rotated(all, round)) samples.push({ ...(await tool()), job });
    return samples;
  }

  /** Eight clients write as fast as they can, first for themselves, then while each of both follows the log. */
  async load(seconds: number): Promise<LoadSample[]> {
    this.#log(`writing at full speed for ${seconds} s, three times …`);
    await this.#cluster.load(Math.min(seconds, 10));
    const alone = await this.#cluster.load(seconds);
    return [
      { follower: 'nothing', transactionsPerSecond: alone },
      await this.#loadUnderHoldfast(seconds),
      await this.#loadUnderPeer(seconds),
    ];
  }

  async #loadUnderHoldfast(seconds: number): Promise<LoadSample> {
    await this.#configureOne(this.#byReplication, { wal: { mode: 'stream', flushSeconds: 1 } });
    const service = await this.#byReplication.serve();
    const behind = async () => {
      const answer = await fetch(`${service.url}/resources/${RESOURCE}/log`);
      const { capture } = (await answer.json()) as { capture?: { progress?: { position?: string } } };
      const position = capture?.progress?.position ?? '0/0';
      const question = `SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '${position}')`;
      return Number(await this.#cluster.server.sql('postgres', question));
    };
    try {
      await until(async () => (await behind()) < NEARLY_NOTHING);
      const transactionsPerSecond = await this.#cluster.load(seconds);
      const behindSeconds = await secondsUntil(async () => (await behind()) < NEARLY_NOTHING);
      return { follower: 'Holdfast', transactionsPerSecond, behindSeconds };
    } finally {
      await service.stop();
      await this.#configureOne(this.#byReplication, {});
      await this.#cluster.server.sql(
        'postgres',
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots',
      );
    }
  }

  async #loadUnderPeer(seconds: number): Promise<LoadSample> {
    await this.#cluster.set('archive_command', this.#peer.archiveCommand);
    const waiting = async () =>
      Number(
        await this.#cluster.server.sql(
          'postgres',
          `SELECT count(*) FROM pg_ls_dir('pg_wal/archive_status') AS name WHERE name LIKE '%.ready'`,
        ),
      );
    const transactionsPerSecond = await this.#cluster.load(seconds);
    const behindSeconds = await secondsUntil(async () => (await waiting()) === 0);
    await this.#cluster.set('archive_command', 'true');
    return { follower: 'pgBackRest', transactionsPerSecond, behindSeconds };
  }

  async #restores(round: number): Promise<PhysicalSample[]> {
    this.#log(`restoring, ${round} …`);
    const parent = join(this.#cluster.server.folder, `restored-${round}`);
    const owned = await this.#peer.makeFolder(parent);
    const options = JSON.stringify({ target: join(owned, 'holdfast'), recoverTo: 'immediate' });
    const ours = this.#holdfast.command('restore', 'latest', '--resource', RESOURCE, '--options', options);
    const { addedBytes: _ours, ...first } = await this.#measured('Holdfast', ours, this.#holdfast.folder);
    const target = await this.#peer.makeFolder(join(owned, 'pgbackrest'));
    const { addedBytes: _peer, ...second } = await this.#measured(
      'pgBackRest',
      this.#peer.restore(target),
      this.#peer.repository,
    );
    return [
      { ...first, job: 'restore' },
      { ...second, job: 'restore' },
    ];
  }

  async #measured(tool: Tool, command: Command, folder: string) {
    const before = folderBytes(folder);
    const measurement = await measureCommand(command, this.#workFolder);
    return { tool, ...measurement, addedBytes: folderBytes(folder) - before };
  }

  async #configure(): Promise<void> {
    await this.#configureOne(this.#holdfast, { transfer: 'folder', dataFolder: this.#cluster.dataFolder });
    await this.#configureOne(this.#byReplication, {});
  }

  #configureOne(holdfast: HoldfastCommands, options: Readonly<Record<string, unknown>>): Promise<void> {
    const connection = this.#cluster.server.connection();
    return holdfast.putResource(RESOURCE, 'postgresql-physical', { connection, ...options });
  }
}

/** What reads beside the server, and what has it send its files, with a repository each. */
type BothWays = [folder: HoldfastCommands, replication: HoldfastCommands];

async function openBoth(workFolder: string, round: number): Promise<BothWays> {
  return [
    await HoldfastCommands.open(join(workFolder, `physical-${round}`)),
    await HoldfastCommands.open(join(workFolder, `physical-replication-${round}`)),
  ];
}

export interface PhysicalBenchOptions {
  cluster: PostgresqlCluster;
  workFolder: string;
  log: (line: string) => void;
}

/** pgBackRest with its own repository, `compress-type=zst`, `process-max=2` and asynchronous pushes of the log. */
class PgBackRest {
  readonly repository: string;
  readonly #cluster: PostgresqlCluster;
  readonly #configuration: string;

  private constructor(cluster: PostgresqlCluster, folder: string) {
    this.#cluster = cluster;
    this.repository = join(folder, 'repository');
    this.#configuration = join(folder, 'pgbackrest.conf');
  }

  static async open(cluster: PostgresqlCluster): Promise<PgBackRest> {
    const folder = join(cluster.server.folder, 'pgbackrest');
    const peer = new PgBackRest(cluster, folder);
    await peer.makeFolder(folder);
    for (const name of ['repository', 'log', 'lock', 'spool']) await peer.makeFolder(join(folder, name));
    writeFileSync(
      peer.#configuration,
      [
        '[global]',
        `repo1-path=${peer.repository}`,
        'repo1-retention-full=100',
        `log-path=${join(folder, 'log')}`,
        `lock-path=${join(folder, 'lock')}`,
        `spool-path=${join(folder, 'spool')}`,
        'compress-type=zst',
        'process-max=2',
        'start-fast=y',
        'archive-async=y',
        'archive-push-queue-max=100GB',
        '[bench]',
        `pg1-path=${cluster.dataFolder}`,
        `pg1-socket-path=${cluster.server.folder}`,
        `pg1-port=${cluster.server.port}`,
        'pg1-user=postgres',
        '',
      ].join('\n'),
    );
    await measureCommand(peer.#command('stanza-create'), folder);
    return peer;
  }

  get archiveCommand(): string {
    return `pgbackrest --config=${this.#configuration} --stanza=bench archive-push %p`;
  }

  backup(type: 'full' | 'incr'): Command {
    return this.#command('backup', `--type=${type}`);
  }

  restore(target: string): Command {
    return this.#command('restore', `--pg1-path=${target}`, '--type=immediate');
  }

  /** Makes a folder that the server's account owns. */
  async makeFolder(folder: string): Promise<string> {
    await mkdir(folder, { recursive: true, mode: 0o750 });
    const { uid, gid } = this.#cluster.server.account ?? {};
    if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid);
    return folder;
  }

  #command(...words: string[]): Command {
    const { environment } = this.#cluster.tool('psql');
    return this.#cluster.asServer({
      program: 'pgbackrest',
      commandLine: [`--config=${this.#configuration}`, '--stanza=bench', ...words],
      environment,
    });
  }
}

/** Bytes of log that the server writes by itself between two looks. */
const NEARLY_NOTHING = 65_536;
const PATIENCE_SECONDS = 120;

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_SECONDS * 1000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It was not so within ${PATIENCE_SECONDS} s.`);
    await delay(100);
  }
}

async function secondsUntil(condition: () => Promise<boolean>): Promise<number> {
  const begun = performance.now();
  await until(condition);
  return (performance.now() - begun) / 1000;
}
