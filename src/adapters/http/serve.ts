import type { AddressInfo } from 'node:net';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Application } from '../../core/application.ts';
import type { Configuration } from '../../core/configuration.ts';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { isLoopbackHost } from './browser-guard.ts';
import { createHttpServer } from './create-http-server.ts';
import { resetTransfers } from './socket-transfer.ts';

/** How long requests that are under way may take to end when the server closes. */
const GRACE_MILLISECONDS = 30_000;

export interface RunningServer {
  /** Where it can be called, for example `http://127.0.0.1:3004`. */
  url: string;
  /** Takes no more requests, lets those under way end (for at most `graceMilliseconds`), then resolves. */
  close(graceMilliseconds?: number): Promise<void>;
}

/**
 * Listens as configured. The log goes to standard error.
 *
 * @throws HoldfastError `credentials-required` (denied) for a host other than loopback while no credentials exist;
 * `address-in-use`, `address-not-available` (unavailable)
 */
export async function serve(
  application: Application,
  configuration: Configuration,
  logger: FastifyBaseLogger = pino({ level: configuration.logLevel }, pino.destination(2)),
): Promise<RunningServer> {
  const { host, port } = configuration.server;
  if (!isLoopbackHost(host) && !(await application.access.credentialsExist())) throw credentialsRequired(host);
  const server = await createHttpServer({ application, configuration, logger });
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    throw listenError(error, host, port);
  }
  return { url: urlOf(server, host), close: (grace = GRACE_MILLISECONDS) => closeGently(server, grace) };
}

async function closeGently(server: FastifyInstance, graceMilliseconds: number): Promise<void> {
  const impatience = setTimeout(() => {
    // What is cut off now must not look like its end, as it would to some after a mere close.
    resetTransfers(server.server);
    server.server.closeAllConnections();
  }, graceMilliseconds);
  try {
    await server.close();
  } finally {
    clearTimeout(impatience);
  }
}

function urlOf(server: FastifyInstance, host: string): string {
  const { port } = server.server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function credentialsRequired(host: string): HoldfastError {
  return new HoldfastError(
    'denied',
    'credentials-required',
    `Holdfast does not listen on ${host} while no credentials exist, because everybody who reaches it would be its admin. Create some first: holdfast user add NAME --role admin, or holdfast token create NAME --role admin. Or listen on 127.0.0.1.`,
    { details: { host } },
  );
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = systemErrorCode(error);
  if (code === 'EADDRINUSE') {
    return new HoldfastError(
      'unavailable',
      'address-in-use',
      `Port ${port} of ${host} is taken, perhaps by another Holdfast. Stop that, or choose another port: PORT=${port + 1}.`,
      { cause: error, details: { host, port } },
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
    return new HoldfastError(
      'unavailable',
      'address-not-available',
      `Holdfast cannot listen on ${host}, port ${port} (${code}). Check server.host and server.port.`,
      { cause: error, details: { host, port } },
    );
  }
  return error;
}
