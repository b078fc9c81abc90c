import type { CommandSession } from '../command-session.ts';

/** Schedules that nobody carries out look just like others. */
export async function noteMissingService(session: CommandSession): Promise<void> {
  const { dataFolder } = await session.configuration({ logLevel: 'silent' });
  if ((await session.composition.runningService(dataFolder)) !== undefined) return;
  session.output.note('The service does not run. Nothing starts by itself before "holdfast serve" does.');
}
