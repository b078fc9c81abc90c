import type { Backup } from '../../core/backup.ts';

/** A backup as the API shows it: the seed's fields in the seed's order, then ours. Its data is never among them. */
export function backupAnswer(backup: Backup) {
  return {
    id: backup.id,
    resourceId: backup.resourceId,
    resourceType: backup.resourceType,
    type: backup.type,
    status: backup.status,
    size: backup.size,
    compressedSize: backup.compressedSize,
    compressionRatio: compressionRatio(backup.size, backup.compressedSize),
    encrypted: backup.encrypted,
    checksum: backup.checksum,
    data: '[REDACTED]',
    createdAt: backup.createdAt,
    completedAt: backup.completedAt,
    expiresAt: backup.expiresAt,
    requestedType: backup.requestedType,
    parentId: backup.parentId,
    baseFullId: backup.baseFullId,
    derivedFrom: backup.derivedFrom,
    chainLength: backup.chainLength,
    metadata: backup.metadata,
    warnings: backup.warnings,
    warningCount: backup.warningCount,
    statistics: backup.statistics,
    service: backup.service,
    contentKind: backup.contentKind,
    log: backup.log,
    external: backup.external,
    held: backup.held,
    repositoryId: backup.repositoryId,
  };
}

/** Per cent that compression and deduplication saved, rounded; 0 for empty content. Negative where it grew. */
export function compressionRatio(size: number, compressedSize: number): number {
  return size === 0 ? 0 : Math.round((1 - compressedSize / size) * 100);
}

/** Hex of a checksum `sha256:hex`. */
export function sha256Of(checksum: string): string {
  return checksum.replace(/^sha256:/, '');
}
