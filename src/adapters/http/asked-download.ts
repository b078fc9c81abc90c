import type { DownloadRequest } from '../../core/download.ts';

/** What a caller may say of a download, by its names over HTTP. */
export interface AskedDownload {
  variant?: string | undefined;
  at?: string | undefined;
  backup?: string | undefined;
  format?: DownloadRequest['format'] | undefined;
  mode?: DownloadRequest['mode'] | undefined;
  seal?: DownloadRequest['seal'] | undefined;
  tables?: DownloadRequest['tables'] | undefined;
  database?: string | undefined;
  paths?: DownloadRequest['paths'] | undefined;
}

/** That of it which was said, as the core names it. */
export function askedDownload(asked: AskedDownload): Omit<DownloadRequest, 'principal' | 'stale' | 'waitMilliseconds'> {
  const { variant, at, backup, format, mode, seal, tables, database, paths } = asked;
  return {
    ...(variant === undefined ? {} : { variant }),
    ...(at === undefined ? {} : { at }),
    ...(backup === undefined ? {} : { snapshotId: backup }),
    ...(format === undefined ? {} : { format }),
    ...(mode === undefined ? {} : { mode }),
    ...(seal === undefined ? {} : { seal }),
    ...(tables === undefined ? {} : { tables }),
    ...(database === undefined ? {} : { database }),
    ...(paths === undefined ? {} : { paths }),
  };
}
