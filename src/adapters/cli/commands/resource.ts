import type { Command } from 'commander';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { checkLines } from '../resource/check-lines.ts';
import type { AddOptions } from '../resource/put-resource.ts';
import { listResources, showResource } from '../resource/show-resources.ts';
import { addSettingOptions, addUnsetOption } from '../setting-options.ts';

export function define(command: Command, session: CommandSession): void {
  const named = (name: string, description: string) =>
    command.command(name).description(description).argument('<resource>', 'id of the resource');
  command
    .command('list')
    .description('List what is backed up, with the newest backup of each.')
    .action(() => listResources(session));
  named('show', 'Show how a resource is backed up. Secrets are shown as the references they are.').action(
    (id: string) => showResource(session, id),
  );
  addPutOptions(
    addSettingOptions(
      named('add', 'Set up something that is backed up; its connection is tested first.').requiredOption(
        '--service <name>',
        'what backs it up: files, postgresql, sqlite …',
      ),
    ),
  )
    .option('--type <label>', "what it is called in lists (default: the service's name)")
    .option('--replace', 'give one that exists a new configuration; its backups, schedules and retention stay')
    .addHelpText('after', ADD_HELP)
    .action(async (id: string, options: AddOptions) => {
      const { addResource } = await import('../resource/put-resource.ts');
      return addResource(session, id, options);
    });
  addPutOptions(
    addUnsetOption(addSettingOptions(named('set', 'Change settings of a resource; all others stay as they are.'))),
  )
    .option('--no-retention', 'no retention policy any more')
    .addHelpText('after', '\nExample:\n  holdfast resource set shop-pg --set connection.port=5433 --retention standard')
    .action(async (id: string, options: AddOptions) => {
      const { setResource } = await import('../resource/put-resource.ts');
      return setResource(session, id, options);
    });
  named('test', 'Say what a backup of a resource would find, what is missing and how to get it.')
    .addHelpText('after', '\nChanges nothing. Exit code 1 if a check fails; warnings leave it 0.')
    .action((id: string) => testResource(session, id));
  named('remove', 'Remove a resource and its schedules. One that has backups stays, unless --cascade.')
    .option('--cascade', 'move its backups into the trash as well')
    .action((id: string, options: { cascade?: boolean }) => removeResource(session, id, options.cascade === true));
}

const ADD_HELP = `
Settings are those of the service: docs/postgresql.md, docs/sqlite.md, docs/external-sources.md and so on list them.
Passwords are never written here. Name where they are, with env:NAME or file:/path.

Examples:
  holdfast resource add shop-pg --service postgresql --set connection.host=db.example.org --set connection.user=holdfast \\
    --set connection.password=env:SHOP_PASSWORD --set databases+=shop
  holdfast resource add home --service files --set paths+=/home --set exclude+='*.tmp'`;

function addPutOptions(command: Command): Command {
  return command
    .option('--retention <id>', 'the retention policy of its backups, see "holdfast retention"')
    .option('--no-test', 'save it without a test');
}

async function testResource(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'resource.test', subject: id };
  const { ok, checks } = await application.resources.test({ id }, session.signal);
  const failed = checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  session.deed = { action: 'resource.test', subject: id, details: { ok, failed } };
  if (!ok) session.exitCode = ExitCode.failure;
  session.output.result({ resourceId: id, ok, checks }, () => checkLines(session.output, checks));
}

async function removeResource(session: CommandSession, id: string, cascade: boolean): Promise<void> {
  const { resources } = await session.application();
  session.deed = { action: 'resource.delete', subject: id, details: { cascade } };
  await resources.delete(id, { cascade, by: session.actor });
  session.output.result({ removed: id }, () => [
    `Removed ${id}.${cascade ? ' Its backups are in the trash: "holdfast trash list".' : ''}`,
  ]);
}
