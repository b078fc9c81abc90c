import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { ConfigurationOverrides, RunningServer, ServiceLock } from '../../../core/composition.ts';
import type { Configuration } from '../../../core/configuration.ts';
import type { CommandSession } from '../command-session.ts';
import { wholeNumber } from '../option-values.ts';

/** How long a backup that is under way may take to end after the first signal. */
const GRACE_MILLISECONDS = 10_000;

export function define(command: Command, session: CommandSession): void {
  command
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on; 0 for a free one', wholeNumber(0))
    .option('--repository <place>', 'folder or s3://bucket/prefix of the repository')
    .option('--new-repository', 'begin an empty repository where the one that was there is lost for good')
    .addHelpText(
      'after',
      '\nCtrl-C or SIGTERM ends what runs, or cancels it after 10 seconds; a second one ends at once.',
    )
    .action((options: ServeOptions) => serve(session, options));
}

type ServeOptions = ConfigurationOverrides & { newRepository?: true };

async function serve(session: CommandSession, { newRepository, ...overrides }: ServeOptions): Promise<void> {
  const configuration = await session.configuration(overrides);
  session.warnOfForeignFolder(configuration);
  const { composition } = session;
  const lock = await composition.acquireServiceLock(configuration.dataFolder);
  let application: Application | undefined;
  let server: RunningServer | undefined;
  try {
    application = await composition.openApplication(configuration, 'serve', {
      ...(newRepository ? { initialise: true } : {}),
      onKeyFileMade: (path) => process.stderr.write(keyFileNotice(path)),
    });
    server = await composition.serve(application, configuration);
    await announce(session, lock, server, application, configuration);
    await application.startBackground();
    await interrupted(session.signal);
    session.output.note('Stopping. Once more ends at once.');
  } finally {
    await server?.close();
    await application?.close(GRACE_MILLISECONDS);
    await lock.release();
  }
}

async function announce(
  session: CommandSession,
  lock: ServiceLock,
  server: RunningServer,
  application: Application,
  configuration: Configuration,
): Promise<void> {
  await lock.announce(server.url);
  const url = server.url.replace(/\/$/, '');
  const facts = {
    url,
    documentation: `${url}/docs`,
    openapi: `${url}/openapi.json`,
    data: configuration.dataFolder,
    repositories: (await application.repositories.list()).map(({ id, location }) => ({ id, location })),
  };
  session.output.result(facts, () => [
    `Holdfast ${session.composition.version} is ready.`,
    `  API            ${facts.url}`,
    `  Documentation  ${facts.documentation}   (OpenAPI: ${facts.openapi})`,
    `  Data           ${facts.data}`,
    ...facts.repositories.map(({ location }) => `  Repository     ${location}`),
  ]);
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function keyFileNotice(path: string): string {
  const line = '*'.repeat(78);
  return `
${line}
A NEW KEY FILE WAS MADE: ${path}

COPY IT TO ANOTHER MACHINE OR A PASSWORD MANAGER NOW. Every backup is encrypted
with it. Without it NOTHING RESTORES, and nobody can make it again. Do not keep
the only copy beside the backups.
${line}

`;
}
