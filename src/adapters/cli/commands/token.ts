import { type Command, Option } from 'commander';
import type { ApiToken, Role } from '../../../core/access.ts';
import type { Column } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { formatTime, localTimeZone } from '../formatting.ts';
import { addGrantOptions, type GrantOptions, grantsOf, grantWords } from '../grant-options.ts';
import { wholeNumber } from '../option-values.ts';

interface CreateOptions extends GrantOptions {
  role: Role;
  expiresInDays?: number;
}

export function define(command: Command, session: CommandSession): void {
  addGrantOptions(command.command('create'))
    .description('Make a token for the API. It is shown once.')
    .argument('<name>', 'whom or what it is for')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['admin', 'operator', 'developer', 'viewer'])
        .makeOptionMandatory(),
    )
    .option('--expires-in-days <days>', 'days until it stops working', wholeNumber(1))
    .action((name: string, options: CreateOptions) => createToken(session, name, options));
  command
    .command('list')
    .description('List tokens, without their secrets.')
    .action(() => listTokens(session));
  command
    .command('revoke')
    .description('Take a token its access at once.')
    .argument('<id>', 'id from "holdfast token list"')
    .action((id: string) => revokeToken(session, id));
}

async function createToken(session: CommandSession, name: string, options: CreateOptions): Promise<void> {
  const grants = grantsOf(options);
  const application = await session.application();
  session.deed = { action: 'token.create', details: { name, role: options.role } };
  const { token, record } = await application.access.createToken({
    name,
    role: options.role,
    ...(options.resource === undefined ? {} : { resources: options.resource }),
    ...grants,
    ...(options.expiresInDays === undefined ? {} : { expiresInDays: options.expiresInDays }),
  });
  session.output.result({ token, record }, () => [token]);
  session.output.note(`Token ${record.id} for "${name}" (${record.role}). It is not shown again.`);
}

async function listTokens(session: CommandSession): Promise<void> {
  const { access } = await session.application();
  const tokens = await access.listTokens();
  const isOpen = !(await access.credentialsExist());
  const empty = isOpen ? 'No tokens and no other credentials: the API answers on loopback only.' : 'No tokens.';
  session.output.table({ tokens }, tokenColumns(), tokens, empty);
}

async function revokeToken(session: CommandSession, id: string): Promise<void> {
  session.deed = { action: 'token.revoke', subject: id };
  await (await session.application()).access.revokeToken(id);
  session.output.result({ revoked: id }, () => [`Revoked ${id}.`]);
}

function tokenColumns(): Column<Omit<ApiToken, 'hash'>>[] {
  const time = (text: string | undefined) => (text === undefined ? '' : formatTime(text));
  return [
    { heading: 'ID', value: ({ id }) => id },
    { heading: 'Name', value: ({ name }) => name },
    { heading: 'Role', value: ({ role }) => role },
    { heading: 'Resources', value: ({ resources }) => resources?.join(' ') ?? 'all' },
    { heading: 'Downloads', value: ({ grants }) => grantWords(grants) },
    { heading: `Created (${localTimeZone()})`, value: ({ createdAt }) => time(createdAt) },
    { heading: 'Expires', value: ({ expiresAt }) => time(expiresAt) },
    { heading: 'Last used', value: ({ lastUsedAt }) => time(lastUsedAt) },
  ];
}
