import { Counter, Histogram, type Registry } from 'prom-client';

/** What downloads did, in names and units as Prometheus wants them. */
export class DownloadMetrics {
  readonly #downloads: Counter<'outcome'>;
  readonly #bytes: Counter;
  readonly #seconds: Histogram<'outcome'>;
  readonly #firstBytes: Histogram;

  readonly #variants: Counter<'variant'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#downloads = new Counter({
      name: 'holdfast_downloads_total',
      help: 'Downloads that ended, by how they ended.',
      labelNames: ['outcome'],
      registers,
    });
    this.#variants = new Counter({
      name: 'holdfast_variant_downloads_total',
      help: 'Downloads that sent something, by variant; raw is the data as it was backed up.',
      labelNames: ['variant'],
      registers,
    });
    this.#bytes = new Counter({
      name: 'holdfast_download_bytes_total',
      help: 'Bytes of downloads that were sent.',
      registers,
    });
    this.#seconds = new Histogram({
      name: 'holdfast_download_duration_seconds',
      help: 'How long downloads took that sent something.',
      labelNames: ['outcome'],
      buckets: [0.1, 1, 10, 60, 600, 3600, 21_600],
      registers,
    });
    this.#firstBytes = new Histogram({
      name: 'holdfast_download_first_byte_seconds',
      help: 'From the request to the first byte of its download.',
      buckets: [0.01, 0.05, 0.2, 0.5, 1, 5, 30],
      registers,
    });
  }

  /** One that sent nothing. */
  refused(outcome: string): void {
    this.#downloads.inc({ outcome });
  }

  given(variant: string): void {
    this.#variants.inc({ variant });
  }

  ended(outcome: string, facts: { bytes: number; seconds: number; firstByteSeconds: number }): void {
    this.#downloads.inc({ outcome });
    this.#bytes.inc(facts.bytes);
    this.#seconds.observe({ outcome }, facts.seconds);
    this.#firstBytes.observe(facts.firstByteSeconds);
  }
}
