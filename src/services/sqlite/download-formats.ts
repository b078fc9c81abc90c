import type { DownloadFormat } from '../../core/ports/service-download.ts';

export const SQLITE_FORMATS: readonly DownloadFormat[] = ['sqlite'];
