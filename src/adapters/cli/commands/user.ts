import { type Command, Option } from 'commander';
import type { Role } from '../../../core/access.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { ShownUser } from '../../../core/user-manager.ts';
import { normalUserName } from '../../../core/user-name.ts';
import type { Column } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { formatTime, localTimeZone } from '../formatting.ts';
import { addGrantOptions, type GrantOptions, grantsOf, grantWords } from '../grant-options.ts';
import { wholeNumber } from '../option-values.ts';
import { newPassword } from '../secret-source.ts';

const DAY = 86_400_000;

interface PasswordOption {
  passwordFrom?: string;
}

interface AddOptions extends GrantOptions, PasswordOption {
  role: Role;
  expiresInDays?: number;
  replace?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  const named = (name: string, description: string) =>
    command.command(name).description(description).argument('<name>', 'the name, whatever its case');
  addPasswordOption(
    addGrantOptions(
      named('add', 'Let somebody sign in with a name and a password.')
        .addOption(
          new Option('--role <role>', 'what the user may do')
            .choices(['admin', 'operator', 'developer', 'viewer'])
            .makeOptionMandatory(),
        )
        .option('--expires-in-days <days>', 'days until the user may not sign in any more', wholeNumber(1))
        .option('--replace', 'change a user who exists; the password stays unless --password-from is given'),
    ),
  ).action((name: string, options: AddOptions) => addUser(session, name, options));
  command
    .command('list')
    .description('List users, without their passwords.')
    .action(() => listUsers(session));
  addPasswordOption(named('password', 'Set a new password.')).action((name: string, options: PasswordOption) =>
    setPassword(session, name, options),
  );
  named('disable', 'Keep a user from signing in, at once.').action((name: string) => setDisabled(session, name, true));
  named('enable', 'Let a disabled user sign in again.').action((name: string) => setDisabled(session, name, false));
  named('remove', 'Remove a user, at once.').action((name: string) => removeUser(session, name));
}

function addPasswordOption(command: Command): Command {
  return command.option(
    '--password-from <reference>',
    'where the password is: env:NAME or file:/path (default: standard input, or asked for)',
  );
}

async function addUser(session: CommandSession, name: string, options: AddOptions): Promise<void> {
  const grants = grantsOf(options);
  const { users } = await session.application();
  session.deed = { action: 'user.put', subject: name, details: { role: options.role } };
  const present = (await users.list()).find((user) => user.name === normalUserName(name));
  if (present !== undefined && options.replace !== true) {
    const message = `There is a user ${present.name} already. Add --replace to change what this user may do.`;
    throw new HoldfastError('conflict', 'user-exists', message, { details: { name: present.name } });
  }
  const keepsPassword = present !== undefined && options.passwordFrom === undefined;
  const password = keepsPassword ? undefined : await passwordFrom(session, options);
  const settings = {
    role: options.role,
    ...(options.resource === undefined ? {} : { resources: options.resource }),
    ...grants,
    ...(options.expiresInDays === undefined
      ? {}
      : { expiresAt: new Date(Date.now() + options.expiresInDays * DAY).toISOString() }),
    disabled: present?.disabled ?? false,
  };
  const { user, created } = await users.put(name, settings, password);
  session.output.result({ user }, () => [`${created ? 'Added' : 'Changed'} ${user.name} (${user.role}).`]);
}

async function listUsers(session: CommandSession): Promise<void> {
  const users = await (await session.application()).users.list();
  session.output.table({ users }, userColumns(), users, 'No users.');
}

async function setPassword(session: CommandSession, name: string, options: PasswordOption): Promise<void> {
  const { users } = await session.application();
  session.deed = { action: 'user.password', subject: name };
  const user = await users.get(name);
  await users.setPassword(user.name, await passwordFrom(session, options));
  session.output.result({ changed: user.name }, () => [`Changed the password of ${user.name}.`]);
}

async function setDisabled(session: CommandSession, name: string, disabled: boolean): Promise<void> {
  const { users } = await session.application();
  session.deed = { action: 'user.put', subject: name, details: { disabled } };
  const { user } = await users.put(name, { ...(await users.get(name)), disabled });
  session.output.result({ user }, () => [
    `${user.name} ${disabled ? 'cannot sign in any more' : 'can sign in again'}.`,
  ]);
}

async function removeUser(session: CommandSession, name: string): Promise<void> {
  session.deed = { action: 'user.delete', subject: name };
  await (await session.application()).users.delete(name);
  session.output.result({ removed: name }, () => [`Removed ${name}.`]);
}

function passwordFrom(session: CommandSession, { passwordFrom: reference }: PasswordOption): Promise<string> {
  return newPassword(reference, (named) => session.composition.resolveSecret(named), session.signal);
}

function userColumns(): Column<ShownUser>[] {
  const time = (text: string | undefined) => (text === undefined ? '' : formatTime(text));
  return [
    { heading: 'Name', value: ({ name }) => name },
    { heading: 'Role', value: ({ role }) => role },
    { heading: 'Resources', value: ({ resources }) => resources?.join(' ') ?? 'all' },
    { heading: 'Downloads', value: ({ grants }) => grantWords(grants) },
    { heading: `Created (${localTimeZone()})`, value: ({ createdAt }) => time(createdAt) },
    { heading: 'Expires', value: ({ expiresAt }) => time(expiresAt) },
    { heading: 'Disabled', value: ({ disabled }) => (disabled ? 'yes' : '') },
  ];
}
