import type { DownloadFormat } from '../../core/ports/service-download.ts';

export const POSTGRESQL_FORMATS: readonly DownloadFormat[] = ['sql', 'custom'];
