import pg from 'pg';

export interface BaseBackupOptions {
  label: string;
  checkpoint: 'fast' | 'spread';
  /** Whether the server verifies page checksums; it reads a page again that was written meanwhile, which nobody else can. */
  verifyChecksums: boolean;
  /** KiB per second */
  maxRate?: number;
  /** On what a manifest was uploaded for. */
  incremental: boolean;
}

/** The BASE_BACKUP command in the grammar of a server: with parentheses since 15. */
export function baseBackupCommand(major: number, options: BaseBackupOptions): string {
  const { label, checkpoint, verifyChecksums, maxRate, incremental } = options;
  const name = pg.escapeLiteral(label);
  if (major < 15)
    return [
      `BASE_BACKUP LABEL ${name} PROGRESS`,
      ...(checkpoint === 'fast' ? ['FAST'] : []),
      'WAL NOWAIT',
      ...(maxRate === undefined ? [] : [`MAX_RATE ${maxRate}`]),
      ...(verifyChecksums ? [] : ['NOVERIFY_CHECKSUMS']),
      `MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'`,
    ].join(' ');
  const list = [
    `LABEL ${name}, PROGRESS, CHECKPOINT '${checkpoint}', WAL, WAIT false, TARGET 'client'`,
    ...(maxRate === undefined ? [] : [`MAX_RATE ${maxRate}`]),
    `VERIFY_CHECKSUMS ${verifyChecksums}`,
    `MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C'`,
    ...(incremental ? ['INCREMENTAL'] : []),
  ];
  return `BASE_BACKUP (${list.join(', ')})`;
}
