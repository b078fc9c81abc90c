import type { Download } from '../../core/download.ts';

/** What the audit log says of a download. */
export function factsOfDownload(download: Download): Record<string, unknown> {
  const { snapshot, variant, format, isSealed, mode, newerId } = download;
  const { id: snapshotId, resourceId } = snapshot;
  const passedOver = newerId === undefined ? {} : { insteadOf: newerId };
  return { resource: resourceId, backup: snapshotId, variant, format, ...(isSealed ? { mode } : {}), ...passedOver };
}
