/**
 * What a developer's copy can be: plain SQL, PostgreSQL's custom archive, a SQLite database, archives of files, canonical JSON, or the
 * bytes as they were backed up.
 */
export const DOWNLOAD_FORMATS = ['sql', 'custom', 'sqlite', 'tar', 'zip', 'json', 'bytes'] as const;
export type DownloadFormat = (typeof DOWNLOAD_FORMATS)[number];

/** Whose SQL it is. */
export type SqlDialect = 'postgresql' | 'mysql';

/** SQL into an empty database, or in the place of what is there. */
export type DownloadMode = 'create' | 'replace';
