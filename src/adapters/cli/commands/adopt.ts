import type { Command } from 'commander';
import type { CommandSession } from '../command-session.ts';
import { followOperation } from '../follow-operation.ts';
import { count } from '../formatting.ts';

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<resource>', 'a resource of the service "external"')
    .option('--all', 'all that the other tool retains, oldest first, instead of the newest alone')
    .action((resourceId: string, { all }: { all?: boolean }) => adopt(session, resourceId, all === true));
}

async function adopt(session: CommandSession, resourceId: string, all: boolean): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'resource.adopt', subject: resourceId, details: { all } };
  const started = await application.adoptions.start({ resourceId, all, createdBy: session.actor });
  const { result = {}, warnings } = await followOperation(application, started, session);
  const adopted = Number(result.adopted);
  const alreadyThere = Number(result.alreadyThere);
  session.output.result({ ...result, warnings }, () => [
    `Adopted ${count(adopted, 'backup')} of ${resourceId}${alreadyThere === 0 ? '' : `; ${alreadyThere} had been adopted before`}.`,
    ...warnings.map((warning) => `  warning: ${warning}`),
  ]);
}
