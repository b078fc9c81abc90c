import type { Health } from './application.ts';
import type { Captures } from './captures.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';

/** A storage that has not answered by then counts as failing: whoever asks for health wants to know soon. */
const LONGEST_ANSWER_MILLISECONDS = 5_000;

/** Asks the catalogue and each repository's storage for something cheap. */
export async function checkHealth(
  context: ManagerContext,
  captures: Captures,
  version: string,
  startedAt: Date,
): Promise<Health> {
  const checks = await Promise.all([
    check(context, 'catalogue', () => context.catalogue.resources.page({ limit: 1 })),
    ...context.repositories.all().map((open) => check(context, `repository ${open.id}`, () => open.ping())),
    ...logChecks(captures),
  ]);
  return {
    status: checks.every(({ status }) => status === 'ok') ? 'ok' : 'degraded',
    version,
    uptimeSeconds: Math.floor((context.clock.now().getTime() - startedAt.getTime()) / 1000),
    checks,
    drills: await drillsOf(context),
  };
}

/** A catalogue that does not answer is told of already. */
async function drillsOf(context: ManagerContext): Promise<Health['drills']> {
  try {
    const standings = await context.catalogue.drills.standings();
    const failing = standings.filter(({ last }) => last !== undefined && last.outcome !== 'passed');
    return { resources: standings.length, failing: failing.length };
  } catch (error) {
    context.logger.error({ err: error }, 'how drills ended could not be read');
    return { resources: 0, failing: 0 };
  }
}

/** A log that cannot be followed is a gap to come. Ids of resources are not told here: anybody may ask for health. */
function logChecks(captures: Captures): Health['checks'] {
  const states = [...captures.states().values()];
  if (states.length === 0) return [];
  const failing = states.filter(({ status }) => status === 'waiting').length;
  if (failing === 0) return [{ name: 'logs', status: 'ok' }];
  const message = `${failing} of ${states.length} logs cannot be followed; GET /resources/{id}/log says why.`;
  return [{ name: 'logs', status: 'failing', message }];
}

async function check(
  context: ManagerContext,
  name: string,
  ask: () => Promise<unknown>,
): Promise<Health['checks'][number]> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(noAnswer(name)), LONGEST_ANSWER_MILLISECONDS).unref();
    });
    await Promise.race([ask(), late]);
    return { name, status: 'ok' };
  } catch (error) {
    context.logger.error({ err: error, check: name }, 'a health check fails');
    // Anybody may ask for health: paths and messages of the system stay in the log.
    return { name, status: 'failing', message: `${name} does not answer; the log says why.` };
  } finally {
    clearTimeout(timer);
  }
}

function noAnswer(name: string): HoldfastError {
  return new HoldfastError('unavailable', 'no-answer', `${name} gave no answer in ${LONGEST_ANSWER_MILLISECONDS} ms.`);
}
