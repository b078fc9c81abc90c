import type { DownloadFormat } from '../../core/ports/service-download.ts';

export const CLUSTER_FORMATS: readonly DownloadFormat[] = ['sql'];
