import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Application } from '../../core/application.ts';
import { BACKUP_TYPES, type Backup, type BackupType } from '../../core/backup.ts';
import type { DrillStanding } from '../../core/drill.ts';
import type { HttpServer } from './http-server.ts';

const KIB = 1024;

/** The metrics of one server, in names and units as Prometheus wants them. */
export class HttpMetrics {
  readonly registry = new Registry();
  readonly #backups = new Counter({
    name: 'holdfast_backups_total',
    help: 'Backups that ended, by type and by how they ended.',
    labelNames: ['type', 'status'] as const,
    registers: [this.registry],
  });
  readonly #sizes = new Histogram({
    name: 'holdfast_backup_size_bytes',
    help: 'Content of finished backups.',
    labelNames: ['type'] as const,
    buckets: [KIB, 16 * KIB, 256 * KIB, 4 * KIB ** 2, 64 * KIB ** 2, KIB ** 3, 16 * KIB ** 3, 256 * KIB ** 3],
    registers: [this.registry],
  });
  readonly #durations = new Histogram({
    name: 'holdfast_backup_duration_seconds',
    help: 'How long finished backups took.',
    labelNames: ['type'] as const,
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3600, 21_600],
    registers: [this.registry],
  });
  readonly #requests = new Histogram({
    name: 'holdfast_http_request_duration_seconds',
    help: 'How long requests took until their answer was sent.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [this.registry],
  });
  readonly #drillSuccesses = this.#resourceGauge(
    'holdfast_drill_last_success_timestamp_seconds',
    'When a restore drill of the resource passed last.',
  );
  readonly #drillPassed = this.#resourceGauge(
    'holdfast_drill_last_passed',
    'Whether the newest restore drill of the resource passed (1) or not (0).',
  );
  readonly #recoveryTimes = this.#resourceGauge(
    'holdfast_drill_recovery_time_seconds',
    'From the beginning of a drill until the data could be used, in the newest drill of the resource that passed.',
  );
  readonly #newestBackups = this.#resourceGauge(
    'holdfast_resource_newest_backup_timestamp_seconds',
    'When the newest backup of the resource was made.',
  );
  readonly #logLag = new Gauge({
    name: 'holdfast_log_lag_bytes',
    help: 'Bytes of a log that its source has written and the repository does not hold yet.',
    labelNames: ['resource'] as const,
    registers: [this.registry],
  });
  readonly #logRunning = new Gauge({
    name: 'holdfast_log_followed',
    help: 'Whether a log is followed now (1) or waits to be begun again after a failure (0).',
    labelNames: ['resource'] as const,
    registers: [this.registry],
  });
  readonly #application: Application;
  readonly #gauges: CatalogueGauges;

  constructor(application: Application) {
    collectDefaultMetrics({ register: this.registry });
    // What begins with one would be no increase to Prometheus.
    for (const type of BACKUP_TYPES)
      for (const status of ['completed', 'failed'] as const) this.#backups.inc({ type, status }, 0);
    application.onBackupEnd((end) => this.#observe(end.type, end.backup));
    this.#application = application;
    this.#gauges = this.#totalsGauges();
  }

  /** All metrics in the text format of Prometheus; asks the catalogue for its totals. */
  async text(): Promise<string> {
    const totals = await this.#application.totals();
    this.#gauges.backups.set(totals.backups);
    this.#gauges.resources.set(totals.resources);
    this.#gauges.bytes.set(totals.bytes);
    this.#gauges.storedBytes.set(totals.storedBytes);
    if (totals.newest !== undefined) this.#gauges.newest.set(Date.parse(totals.newest) / 1000);
    const newest = await this.#newestOfEach();
    const standings = await this.#application.drills.standings();
    // Nothing is waited for from here on: another reader would find gauges that are begun anew, and raise false alarms or none.
    this.#newestBackups.reset();
    for (const [resource, createdAt] of newest) this.#newestBackups.set({ resource }, Date.parse(createdAt) / 1000);
    this.#setDrills(standings);
    this.#setLogs();
    return this.registry.metrics();
  }

  /** Times the requests of a server. */
  observeRequests(server: HttpServer): void {
    server.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unknown';
      this.#requests.observe(
        { method: request.method, route, status: String(reply.statusCode) },
        reply.elapsedTime / 1000,
      );
    });
  }

  #setDrills(standings: readonly DrillStanding[]): void {
    for (const gauge of [this.#drillSuccesses, this.#drillPassed, this.#recoveryTimes]) gauge.reset();
    for (const { resourceId: resource, last, lastProven } of standings) {
      if (last !== undefined) this.#drillPassed.set({ resource }, last.outcome === 'passed' ? 1 : 0);
      if (lastProven === undefined) continue;
      this.#drillSuccesses.set({ resource }, Date.parse(lastProven.at) / 1000);
      this.#recoveryTimes.set({ resource }, lastProven.recoveryTimeMilliseconds / 1000);
    }
  }

  #resourceGauge(name: string, help: string): Gauge<'resource'> {
    return new Gauge({ name, help, labelNames: ['resource'], registers: [this.registry] });
  }

  /** One old backup among many new ones shows in no other number. */
  async #newestOfEach(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    let cursor: string | undefined;
    do {
      const page = await this.#application.resources.list({ limit: 500, ...(cursor === undefined ? {} : { cursor }) });
      const newest = await this.#application.backups.newestOf(page.items.map(({ id }) => id));
      for (const [resource, { createdAt }] of newest) found.set(resource, createdAt);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return found;
  }

  /** Begins anew each time: a log that is not kept any more has no lag. */
  #setLogs(): void {
    this.#logLag.reset();
    this.#logRunning.reset();
    for (const [resource, { status, progress }] of this.#application.logs.captures()) {
      this.#logRunning.set({ resource }, status === 'running' ? 1 : 0);
      if (progress?.lagBytes !== undefined) this.#logLag.set({ resource }, progress.lagBytes);
    }
  }

  #observe(type: BackupType, backup: Backup | undefined): void {
    this.#backups.inc({ type, status: backup === undefined ? 'failed' : 'completed' });
    if (backup === undefined) return;
    this.#sizes.observe({ type }, backup.size);
    this.#durations.observe({ type }, backup.statistics.durationMilliseconds / 1000);
  }

  #totalsGauges(): CatalogueGauges {
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [this.registry] });
    return {
      backups: gauge('holdfast_catalogue_backups', 'Backups in the catalogue.'),
      resources: gauge('holdfast_catalogue_resources', 'Resources in the catalogue.'),
      bytes: gauge('holdfast_catalogue_content_bytes', 'Content of all backups.'),
      storedBytes: gauge('holdfast_catalogue_stored_bytes', 'Bytes that were written for all backups.'),
      newest: gauge('holdfast_newest_backup_timestamp_seconds', 'When the newest backup was made.'),
    };
  }
}

type CatalogueGauges = Record<'backups' | 'resources' | 'bytes' | 'storedBytes' | 'newest', Gauge>;
