import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { PostgresqlServer, SKIP_REASON } from '../test/postgresql-server.ts';
import { greenmaskConfiguration, shopDatabase, shopPolicy } from './data/shop-database.ts';
import { folderBytes } from './folder-contents.ts';
import { markdownTable } from './markdown-table.ts';
import { type Command, measureCommand } from './measured-command.ts';
import { ServiceProcess } from './service-process.ts';

export interface DatabaseSample {
  name: string;
  seconds: number;
  /** Of the program that is named and its children; not of the server that it asks. */
  cpuSeconds: number;
  peakMemoryBytes: number;
  bytes: number;
}

export interface DatabaseResults {
  sizes: readonly { dumpBytes: number; samples: readonly DatabaseSample[] }[];
  /** Why there is nothing of it. */
  skipped: readonly string[];
}

/** Bytes of the dumps. The last one is what is promised; the one before it tells how time and memory grow. */
const SIZES = { quick: [50_000_000, 100_000_000], usual: [500_000_000, 2_000_000_000] };
const DATABASE = 'shop';

/** Masked and reduced copies of a shop of twenty tables, from a backup by the service, beside pg_dump, psql and Greenmask. */
export async function measureDatabases(options: {
  workFolder: string;
  quick: boolean;
  log: (line: string) => void;
}): Promise<DatabaseResults> {
  const { workFolder, quick, log } = options;
  const skipped: string[] = [];
  if (SKIP_REASON !== false) return { sizes: [], skipped: [SKIP_REASON] };
  const greenmask = process.env.GREENMASK;
  if (greenmask === undefined || spawnSync(greenmask, ['--version']).status !== 0) {
    skipped.push('Greenmask is LEFT OUT: set GREENMASK to the path of its program (github.com/GreenmaskIO/greenmask).');
    log(skipped.join('\n'));
  }
  const sizes: { dumpBytes: number; samples: DatabaseSample[] }[] = [];
  for (const bytes of quick ? SIZES.quick : SIZES.usual) {
    const shop = await Shop.make(join(workFolder, `shop-${bytes}`), bytes, log);
    try {
      await shop.measurePeers(skipped.length > 0 ? undefined : greenmask);
      await shop.measureHoldfast();
      sizes.push({ dumpBytes: shop.dumpBytes, samples: shop.samples });
    } finally {
      await shop.remove();
    }
  }
  return { sizes, skipped };
}

export function databasesReport({ sizes, skipped }: DatabaseResults): string {
  const sections = sizes.map(({ dumpBytes, samples }) => {
    const dump = samples.find(({ name }) => name === PLAIN);
    const rows = samples.map(({ name, seconds, cpuSeconds, peakMemoryBytes, bytes }) => [
      name,
      seconds.toFixed(1),
      cpuSeconds.toFixed(1),
      mega(peakMemoryBytes),
      mega(bytes),
      dump === undefined ? '' : (seconds / dump.seconds).toFixed(2),
    ]);
    const header = ['what', 'seconds', 'CPU s', 'memory, MB', 'gives, MB', '× pg_dump, plain'];
    return `### Twenty tables, ${mega(dumpBytes)} MB of SQL\n\n${markdownTable(header, rows)}`;
  });
  const note =
    'CPU seconds and memory are those of the program that is named, not of the PostgreSQL server that it asks; Holdfast asks none, and its seconds count its `pg_restore`, its memory does not.';
  return [...skipped, ...sections, ...(sizes.length > 0 ? [note] : [])].join('\n\n');
}

const PLAIN = 'pg_dump, plain';

class Shop {
  readonly samples: DatabaseSample[] = [];
  dumpBytes = 0;
  readonly #folder: string;
  readonly #server: PostgresqlServer;
  readonly #log: (line: string) => void;

  private constructor(folder: string, server: PostgresqlServer, log: (line: string) => void) {
    this.#folder = folder;
    this.#server = server;
    this.#log = log;
  }

  static async make(folder: string, bytes: number, log: (line: string) => void): Promise<Shop> {
    mkdirSync(folder, { recursive: true });
    log(`making a shop of ${mega(bytes)} MB …`);
    const server = await PostgresqlServer.start([
      ...['fsync = off', 'shared_buffers = 512MB', 'max_wal_size = 8GB', 'autovacuum = off'],
      ...['maintenance_work_mem = 256MB', 'checkpoint_timeout = 1h'],
    ]);
    const shop = new Shop(folder, server, log);
    await server.sql('postgres', `CREATE DATABASE ${DATABASE}`);
    await server.sql(DATABASE, shopDatabase(bytes));
    await server.sql(DATABASE, 'CHECKPOINT');
    return shop;
  }

  async remove(): Promise<void> {
    await this.#server.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async measurePeers(greenmask: string | undefined): Promise<void> {
    const plain = join(this.#folder, 'plain.sql');
    const custom = join(this.#folder, 'custom.dump');
    // Once before, so that nobody pays for a cold page cache.
    await measureCommand(this.#tool('pg_dump', '-f', plain, DATABASE), this.#folder);
    await this.#sample(PLAIN, this.#tool('pg_dump', '-f', plain, DATABASE), () => statSync(plain).size);
    this.dumpBytes = statSync(plain).size;
    await this.#sample(
      'pg_dump -Fc',
      this.#tool('pg_dump', '-Fc', '-f', custom, DATABASE),
      () => statSync(custom).size,
    );
    rmSync(custom);
    await this.#server.sql('postgres', 'CREATE DATABASE target');
    const load = this.#tool('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', plain, 'target');
    await this.#sample('psql, loading it', load, () => this.dumpBytes);
    await this.#server.sql('postgres', 'DROP DATABASE target');
    rmSync(plain);
    if (greenmask === undefined) return;
    for (const isReduced of [false, true]) {
      const name = `Greenmask, 4 masked${isReduced ? ', 1 % of users' : ''}`;
      const storage = join(this.#folder, `greenmask-${isReduced}`);
      mkdirSync(storage);
      const file = join(this.#folder, 'greenmask.yaml');
      const { connectionWords, environment } = this.#client();
      const { programs } = this.#server;
      const settings = { programs, storage, temporary: this.#folder, connection: connectionWords, isReduced };
      writeFileSync(file, greenmaskConfiguration(settings));
      const command = { program: greenmask, commandLine: ['--config', file, 'dump'], environment };
      await this.#sample(name, command, () => folderBytes(storage));
      rmSync(storage, { recursive: true });
    }
  }

  /** Each with a service that was started for it, whose most memory is that of this. */
  async measureHoldfast(): Promise<void> {
    const policies = join(this.#folder, 'policies');
    mkdirSync(policies, { recursive: true });
    const file = join(this.#folder, 'holdfast.yaml');
    writeFileSync(file, `downloads: { policies: ${JSON.stringify(policies)} }\n`);
    const environment = { HOLDFAST_CONFIG: file, SHOP_KEY: randomBytes(32).toString('base64') };
    const policy = (epoch: string) =>
      writeFileSync(join(policies, 'shop.yaml'), shopPolicy({ resource: 'shop', key: 'env:SHOP_KEY', epoch }));
    policy('1');
    const service = () => ServiceProcess.start(join(this.#folder, 'service'), environment);
    await this.#measured('Holdfast, backup', await service(), async ({ url }) => {
      const configuration = { connection: this.#server.connection(), databases: [DATABASE] };
      await send(`${url}/resources/shop`, 'PUT', { service: 'postgresql', configuration });
      const answer = await send(`${url}/resources/shop/backups`, 'POST', {}, { prefer: 'wait=600' });
      return z.object({ size: z.number() }).parse(answer).size;
    });
    const download = async (name: string, variant: string) =>
      this.#measured(name, await service(), ({ url }) => downloaded(`${url}/download/shop?variant=${variant}`));
    await download('Holdfast, as it is', 'raw&seal=none');
    await download('Holdfast, 4 masked', 'masked');
    await download('Holdfast, 1 % of users, with its index of keys', 'reduced');
    await download('Holdfast, the same, which was kept', 'reduced');
    policy('2');
    await download('Holdfast, 1 % of users, index of keys ready', 'reduced');
  }

  async #measured(name: string, service: ServiceProcess, work: (service: ServiceProcess) => Promise<number>) {
    try {
      const [before, began] = [service.cpuSeconds(), performance.now()];
      const bytes = await work(service);
      const seconds = (performance.now() - began) / 1000;
      const cpuSeconds = service.cpuSeconds() - before;
      this.#keep({ name, seconds, cpuSeconds, peakMemoryBytes: service.peakMemoryBytes(), bytes });
    } finally {
      await service.stop();
    }
  }

  async #sample(name: string, command: Command, bytes: () => number): Promise<void> {
    const measurement = await measureCommand(command, this.#folder);
    this.#keep({ name, ...measurement, bytes: bytes() });
  }

  #keep(sample: DatabaseSample): void {
    this.samples.push(sample);
    const { name, seconds, cpuSeconds, peakMemoryBytes, bytes } = sample;
    this.#log(
      `${name}: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} CPU s, ${mega(peakMemoryBytes)} MB, gives ${mega(bytes)} MB`,
    );
  }

  #tool(program: string, ...commandLine: string[]): Command {
    return { program: join(this.#server.programs, program), commandLine, environment: this.#client().environment };
  }

  #client() {
    const { folder, port, password } = this.#server;
    return {
      connectionWords: `host=${folder} port=${port} user=postgres dbname=${DATABASE}`,
      environment: { PGHOST: folder, PGPORT: String(port), PGUSER: 'postgres', PGPASSWORD: password },
    };
  }
}

const timesSchema = z.object({ http_code: z.number(), exitcode: z.number(), size_download: z.number() });

async function downloaded(url: string): Promise<number> {
  const words = ['-sS', '-H', 'Prefer: wait=600', '-o', '/dev/null', '-w', '%{json}', url];
  const { stdout } = await promisify(execFile)('curl', words);
  const { http_code, exitcode, size_download } = timesSchema.parse(JSON.parse(stdout));
  if (http_code !== 200 || exitcode !== 0) throw new Error(`${url} answered ${http_code}`);
  return size_download;
}

async function send(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${url} was refused: ${await answer.text()}`);
  return answer.json();
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
