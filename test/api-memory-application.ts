import { createHash } from 'node:crypto';
import type { Principal } from '../src/core/access.ts';
import type { Application, PostedBackupRequest } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import type { Configuration } from '../src/core/configuration.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { Credentials } from '../src/core/ports/identity-provider.ts';

/** An event as the audit log was told it. */
export type RecordedEvent = Parameters<Application['audit']['record']>[0];

/** What tests of the door need of an application: nothing in it restores anything. */
export interface MemoryApplication {
  application: Application;
  backups: Map<string, Backup>;
  principals: Map<string, Principal>;
  audit: RecordedEvent[];
}

/** An application that keeps posted bytes in memory; parts that a test needs otherwise are given by it. */
export function memoryApplication(parts: Partial<Application> = {}): MemoryApplication {
  const backups = new Map<string, Backup>();
  const principals = new Map<string, Principal>();
  const audit: RecordedEvent[] = [];
  const claims = new Map<string, { fingerprint: string; answer?: { status: number; body: string } }>();
  const application = {
    version: '0.0.0',
    services: [
      { name: 'document', description: 'JSON.', source: 'posted', backupTypes: ['full'] },
      { name: 'files', description: 'Files.', source: 'fetched', backupTypes: ['full'] },
    ],
    totals: async () => ({ backups: 0, bytes: 0, storedBytes: 0, resources: 0 }),
    onBackupEnd: () => undefined,
    health: async () => ({
      status: 'ok',
      version: '0.0.0',
      uptimeSeconds: 1,
      checks: [],
      drills: { resources: 0, failing: 0 },
    }),
    drills: { standings: async () => [] },
    downloads: { failure: () => undefined },
    variants: { onEnd: () => undefined },
    backups: {
      createPosted: async (request: PostedBackupRequest) => {
        const hash = createHash('sha256');
        let size = 0;
        for await (const chunk of request.input) {
          hash.update(chunk);
          size += chunk.length;
        }
        const backup = memoryBackup(`backup-${backups.size + 1}`, request.resourceId, size, hash.digest('hex'));
        backups.set(backup.id, backup);
        return backup;
      },
      get: async (id: string) => {
        const backup = backups.get(id);
        if (backup === undefined) throw new HoldfastError('not-found', 'backup-not-found', `No backup ${id}.`);
        return backup;
      },
      list: async () => ({ items: [...backups.values()] }),
    },
    resources: {
      get: async (id: string) => {
        throw new HoldfastError('not-found', 'resource-not-found', `No resource ${id}.`);
      },
    },
    access: {
      credentialsExist: async () => principals.size > 0,
      identify: async (credentials: Credentials) =>
        credentials.kind === 'bearer'
          ? principals.get(credentials.token)
          : principals.get('password' in credentials ? `${credentials.name}:${credentials.password}` : ''),
    },
    audit: {
      record: async (event: RecordedEvent) => {
        audit.push(event);
      },
    },
    idempotency: {
      begin: async (key: string, fingerprint: string) => {
        const claim = claims.get(key);
        if (claim === undefined) {
          claims.set(key, { fingerprint });
          return { state: 'new' };
        }
        if (claim.fingerprint !== fingerprint) return { state: 'mismatch' };
        return claim.answer === undefined ? { state: 'in-progress' } : { state: 'done', ...claim.answer };
      },
      finish: async (key: string, status: number, body: string) => {
        const claim = claims.get(key);
        if (claim !== undefined) claim.answer = { status, body };
      },
      abandon: async (key: string) => {
        claims.delete(key);
      },
      expire: async () => undefined,
    },
    ...parts,
  };
  return { application: application as unknown as Application, backups, principals, audit };
}

/** Only `server` matters to the HTTP adapter. */
export function httpConfiguration(server: Partial<Configuration['server']> = {}): Configuration {
  return {
    logLevel: 'silent',
    server: {
      host: '127.0.0.1',
      port: 0,
      documentLimitBytes: 4 * 1024 * 1024,
      documentDepthLimit: 100,
      bodyLimitBytes: 64 * 1024,
      requestsPerMinute: 0,
      maxConcurrentTransfers: 4,
      allowedHosts: [],
      ...server,
    },
  } as unknown as Configuration;
}

function memoryBackup(id: string, resourceId: string, size: number, sha256: string): Backup {
  return {
    id,
    resourceId,
    resourceType: 'document',
    service: 'document',
    type: 'full',
    status: 'completed',
    contentKind: 'document',
    size,
    compressedSize: Math.ceil(size / 4),
    encrypted: true,
    checksum: `sha256:${sha256}`,
    chainLength: 0,
    metadata: { tags: {} },
    warnings: [],
    warningCount: 0,
    statistics: { sourceBytes: size, readBytes: size, newBytes: size, storedBytes: size, durationMilliseconds: 1 },
    repositoryId: 'default',
    createdAt: '2025-01-01T12:00:00.000Z',
    completedAt: '2025-01-01T12:00:00.001Z',
    held: false,
  };
}
