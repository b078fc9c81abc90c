import type { DownloadFormat } from '../../core/ports/service-download.ts';

export const FILES_FORMATS: readonly DownloadFormat[] = ['tar', 'zip', 'bytes'];
