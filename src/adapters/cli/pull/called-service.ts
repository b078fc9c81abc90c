import type { Command } from 'commander';
import { HoldfastError } from '../../../core/errors.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { authorizationFor, type CredentialOptions } from './server-credentials.ts';
import { SnapshotServer, serverAddress } from './snapshot-server.ts';

/** Which service a command calls over HTTP, and as whom. */
export interface ServiceOptions extends CredentialOptions {
  server?: string;
}

export interface CalledService {
  url: URL;
  server: SnapshotServer;
}

/** The options of all commands that call a service over HTTP. */
export function addServiceOptions(command: Command): Command {
  return command
    .option('--server <url>', 'the service; default: HOLDFAST_URL, or the one that runs on this data folder')
    .option('--user <name>', 'who you are; the password is HOLDFAST_PASSWORD, in ~/.netrc, or asked for')
    .option('--token <reference>', 'a token, as env:NAME or file:/path; default: HOLDFAST_TOKEN');
}

/** Calls a service; what it refuses ends the command with the code that scripts look for. */
export async function withService(
  session: CommandSession,
  options: ServiceOptions,
  work: (called: CalledService) => Promise<void>,
): Promise<void> {
  const url = await addressOf(session, options.server);
  const authorization = await authorizationFor(url, options, process.env, session.signal);
  if (authorization !== undefined && url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    session.output.warn(`Your password or token goes to ${url.host} without encryption. Use https.`);
  const server = new SnapshotServer({ url, authorization, version: session.composition.version });
  try {
    await work({ url, server });
  } catch (error) {
    session.failureExitCode = exitCodeFor(error);
    throw error;
  }
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function exitCodeFor(error: unknown): number | undefined {
  if (!(error instanceof HoldfastError)) return undefined;
  if (error.code === 'download-cut') return ExitCode.partial;
  if (error.kind === 'unauthenticated' || error.kind === 'denied') return ExitCode.refused;
  return error.kind === 'not-found' ? ExitCode.notFound : undefined;
}

async function addressOf(session: CommandSession, given: string | undefined): Promise<URL> {
  const named = given ?? (process.env.HOLDFAST_URL || undefined);
  if (named !== undefined) return serverAddress(named);
  const { dataFolder } = await session.configuration({ logLevel: 'silent' });
  const running = await session.composition.runningService(dataFolder);
  if (running?.url !== undefined) return serverAddress(running.url);
  throw usageError('server-missing', `No service runs on ${dataFolder}. Name one: --server URL, or HOLDFAST_URL.`);
}
