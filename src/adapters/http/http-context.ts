import type { Application } from '../../core/application.ts';
import type { Configuration } from '../../core/configuration.ts';
import type { HttpMetrics } from './http-metrics.ts';

/** What route groups work with. */
export interface HttpContext {
  application: Application;
  configuration: Configuration;
  metrics: HttpMetrics;
  /** Aborts when the server begins to shut down: endless answers (server-sent events) end then. */
  shutdown: AbortSignal;
}
