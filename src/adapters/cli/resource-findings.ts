import type { Application } from '../../core/application.ts';
import type { ConnectionCheck } from '../../core/ports/connection-check.ts';
import type { Finding } from './finding.ts';

const PAGE = 100;
/** The doctor looks at the repository by itself. */
const OF_THE_REPOSITORY = /^repository/;

/** For each resource that Holdfast fetches itself: what would keep its next backup from succeeding. */
export async function* resourceFindings(application: Application, signal: AbortSignal): AsyncIterable<Finding> {
  const fetched = new Set(application.services.filter(({ source }) => source === 'fetched').map(({ name }) => name));
  let cursor: string | undefined;
  do {
    const page = await application.resources.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    for (const { id, service } of page.items) {
      if (!fetched.has(service)) continue;
      const { checks } = await application.resources.test({ id }, signal);
      yield* findingsOf(
        id,
        checks.filter(({ name }) => !OF_THE_REPOSITORY.test(name)),
      );
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

function* findingsOf(id: string, checks: readonly ConnectionCheck[]): Iterable<Finding> {
  const check = 'resource';
  const wrong = checks.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning');
  for (const { name, outcome, message, advice } of wrong) {
    const state = outcome === 'failed' ? 'fail' : 'warn';
    yield { check, state, message: `${id}, ${name}: ${message}`, ...(advice === undefined ? {} : { advice }) };
  }
  if (wrong.length === 0) yield { check, state: 'ok', message: `${id} can be backed up` };
}
