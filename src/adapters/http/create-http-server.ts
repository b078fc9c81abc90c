import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Application } from '../../core/application.ts';
import type { Configuration } from '../../core/configuration.ts';
import { keepAuditTrail } from './audit-trail.ts';
import { guardDoor } from './authentication.ts';
import { collectDocumentation, documentationRoutes } from './documentation.ts';
import { DownloadMetrics } from './download-metrics.ts';
import { downloadRefusal } from './download-refusal.ts';
import type { HttpContext } from './http-context.ts';
import { HttpMetrics } from './http-metrics.ts';
import type { HttpServer } from './http-server.ts';
import { honourIdempotencyKeys } from './idempotency.ts';
import { readJsonBodies } from './json-body.ts';
import { endJsonWithLine } from './json-line-end.ts';
import { sendProblem } from './problem.ts';
import { limitRequestRate } from './request-rate.ts';
import { validateByZod } from './request-validation.ts';
import { adoptionRoutes } from './routes/adoptions.ts';
import { auditRoutes } from './routes/audit.ts';
import { backupContentRoutes } from './routes/backup-content.ts';
import { backupCreationRoutes } from './routes/backup-creation.ts';
import { backupRoutes } from './routes/backups.ts';
import { copyRoutes } from './routes/copies.ts';
import { downloadRoutes } from './routes/download.ts';
import { drillRoutes } from './routes/drills.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { operationRoutes } from './routes/operations.ts';
import { ownIdentityRoutes } from './routes/own-identity.ts';
import { policyRoutes } from './routes/policies.ts';
import { repositoryRoutes } from './routes/repositories.ts';
import { resourceLogRoutes } from './routes/resource-logs.ts';
import { resourceTestRoutes } from './routes/resource-tests.ts';
import { resourceRoutes } from './routes/resources.ts';
import { restoreRoutes } from './routes/restore.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { serviceInformationRoutes } from './routes/service-information.ts';
import { snapshotRoutes } from './routes/snapshots.ts';
import { ticketRoutes } from './routes/tickets.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { userRoutes } from './routes/users.ts';
import { variantRoutes } from './routes/variants.ts';
import { limitTransfers } from './transfer-places.ts';
import { TrustedProxy } from './trusted-proxy.ts';
import { answerUnknownRoutes } from './unknown-routes.ts';

const HEADERS_TIMEOUT_MILLISECONDS = 30_000;
const KEEP_ALIVE_MILLISECONDS = 72_000;

/**
 * The HTTP API over an application, ready but not listening yet. Whoever listens must see to it that nobody but this machine
 * reaches it while no credentials exist; `serve` does.
 */
export async function createHttpServer(options: {
  application: Application;
  configuration: Configuration;
  logger: FastifyBaseLogger;
}): Promise<FastifyInstance> {
  const { application, configuration, logger } = options;
  const proxy = new TrustedProxy(configuration.identity?.proxy);
  const answerError = errorAnswers(application);
  const server = newServer(configuration, logger, proxy, answerError);
  const shutdown = new AbortController();
  const context: HttpContext = {
    application,
    configuration,
    metrics: new HttpMetrics(application),
    shutdown: shutdown.signal,
  };
  endConnectionsAtShutdown(server, shutdown);

  await collectDocumentation(server, application.version);
  addDoor(server, context, proxy, answerError);
  await addRoutes(server, context);
  await server.ready();
  return server as unknown as FastifyInstance;
}

type AnswerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Whatever is wrong at an address of downloads may be piped into a client of a database, if there is such a route or not. */
function errorAnswers(application: Application): AnswerError {
  const refuseDownload = downloadRefusal(application, () => undefined);
  return (error, request, reply) =>
    /^\/(download|t)(?![^/?])/.test(request.url)
      ? refuseDownload(error, request, reply)
      : sendProblem(error, request, reply);
}

/** Answers without end stop, and a connection whose last answer was sent is not kept for another request. */
function endConnectionsAtShutdown(server: HttpServer, shutdown: AbortController): void {
  server.addHook('preClose', async () => shutdown.abort());
  server.addHook('onSend', async (_request, reply) => {
    if (shutdown.signal.aborted) reply.header('connection', 'close');
  });
  server.addHook('onResponse', async () => {
    if (shutdown.signal.aborted) setImmediate(() => server.server.closeIdleConnections());
  });
}

function newServer(
  configuration: Configuration,
  logger: FastifyBaseLogger,
  proxy: TrustedProxy,
  answerError: AnswerError,
): HttpServer {
  return fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // `request.ip` is then the right-most address that is none of the proxies'.
    trustProxy: proxy.includes,
    bodyLimit: configuration.server.bodyLimitBytes,
    // A whole request may take as long as an upload takes; who sends nothing for a minute is given up by `receivedBytes`.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    http: { headersTimeout: HEADERS_TIMEOUT_MILLISECONDS },
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 400 },
    genReqId: requestId,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();
}

/** All that happens to a request before its route sees it, in this order, and what is done with errors. */
function addDoor(
  server: HttpServer,
  { application, configuration, metrics }: HttpContext,
  proxy: TrustedProxy,
  answerError: AnswerError,
): void {
  server.setValidatorCompiler(validateByZod);
  server.setSerializerCompiler(() => (value) => JSON.stringify(value));
  server.setErrorHandler(answerError);
  answerUnknownRoutes(server);
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, ...HEADERS_OF_ANSWERS });
  });
  limitRequestRate(server, configuration.server.requestsPerMinute);
  guardDoor(server, application, { allowedHosts: configuration.server.allowedHosts, proxy });
  limitTransfers(server, configuration.server.maxConcurrentTransfers);
  honourIdempotencyKeys(server, application);
  keepAuditTrail(server, application);
  metrics.observeRequests(server);
  endJsonWithLine(server);
  readJsonBodies(server);
}

async function addRoutes(server: HttpServer, context: HttpContext): Promise<void> {
  serviceInformationRoutes(server, context);
  await server.register(async (scope) => backupCreationRoutes(scope.withTypeProvider<ZodTypeProvider>(), context));
  await server.register(async (scope) => uploadRoutes(scope.withTypeProvider<ZodTypeProvider>(), context));
  backupRoutes(server, context);
  backupContentRoutes(server, context);
  restoreRoutes(server, context);
  drillRoutes(server, context);
  const downloadMetrics = new DownloadMetrics(context.metrics.registry);
  downloadRoutes(server, context, downloadMetrics);
  ticketRoutes(server, context, downloadMetrics);
  snapshotRoutes(server, context);
  variantRoutes(server, context);
  resourceRoutes(server, context);
  resourceTestRoutes(server, context);
  adoptionRoutes(server, context);
  operationRoutes(server, context);
  policyRoutes(server, context);
  scheduleRoutes(server, context);
  repositoryRoutes(server, context);
  copyRoutes(server, context);
  resourceLogRoutes(server, context);
  tokenRoutes(server, context);
  userRoutes(server, context);
  ownIdentityRoutes(server, context);
  auditRoutes(server, context);
  metricsRoutes(server, context);
  await documentationRoutes(server);
}

/** No browser may guess a media type, run what a backup holds, show it inside another page, or keep it. */
const HEADERS_OF_ANSWERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** The caller's `x-request-id`, where it is a decent one, so that its log and ours can be brought together. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  if (typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given)) return given;
  return `request-${randomUUID()}`;
}
