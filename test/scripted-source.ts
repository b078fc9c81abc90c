import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupContext, RestoreContext, Service } from '../src/core/ports/service.ts';
import { bytesOf } from './managed-application.ts';

/** A service that Holdfast fetches from and that does what a test wants: the real ones cannot be made to fail at will. */
export class ScriptedSource implements Service {
  readonly name: string = 'scripted';
  readonly description = 'For tests.';
  readonly contentKind = 'stream';
  readonly backupTypes = ['full'] as const;
  readonly source = 'fetched';
  faults: Error[] = [];
  endless = false;

  reset(): void {
    this.faults = [];
    this.endless = false;
  }

  parseConfiguration(): Readonly<Record<string, unknown>> {
    return {};
  }

  async backup({ writer, signal, report }: BackupContext) {
    const stored = await writer.writeStream(bytesOf('some bytes of the source'));
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
    report({ percent: 10, phase: 'reading' });
    while (this.endless) {
      await sleep(110, undefined, { signal });
      report({ percent: 20, phase: 'reading' });
    }
    return {
      type: 'full' as const,
      root: stored.root,
      size: stored.length,
      checksum: `sha256:${stored.sha256}`,
      isDelta: false,
      readBytes: stored.length,
      sourceBytes: stored.length,
      serviceData: {},
    };
  }

  async restore(_context: RestoreContext) {
    return { report: {} };
  }
}
