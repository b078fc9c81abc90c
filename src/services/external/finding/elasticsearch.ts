import { z } from 'zod';
import { messageOf } from '../../../core/errors.ts';
import { askJson, type HttpAnswer } from '../http-request.ts';
import type { ElasticsearchConfiguration } from '../source-schema.ts';
import { StepFault } from '../step-failure.ts';
import { fieldOf, parseFieldPath } from './field-path.ts';
import { type FoundBackup, newestFirst, snapshotId } from './found-backup.ts';

/** What Elasticsearch gives at once. */
const MOST_HITS = 10_000;

const answerSchema = z.object({
  timed_out: z.boolean().default(false),
  _shards: z.object({ failed: z.number().default(0) }).default({ failed: 0 }),
  hits: z.object({ hits: z.array(z.object({ _id: z.string().default(''), _source: z.unknown() })) }),
});

/**
 * Backups as their tool logged them to Elasticsearch or OpenSearch, newest first. A document without a time is of a run that failed,
 * and counts as little as one without an object. An answer that not all shards took part in is none: the newest backup might be missing.
 *
 * @param keyOf the object that a URL of a document names. @throws StepFault for one that is of no use
 * @throws StepFault naming each host and what it said
 */
export async function findInElasticsearch(
  configuration: ElasticsearchConfiguration,
  { limit, keyOf, resolveSecret, signal }: FindingContext,
): Promise<readonly FoundBackup[]> {
  const headers = await authorization(configuration, resolveSecret);
  const body = queryOf(configuration, Math.min(limit, MOST_HITS));
  const failures: string[] = [];
  for (const host of configuration.hosts) {
    try {
      const url = new URL(`${host.replace(/\/+$/, '')}/${encodeURIComponent(configuration.index)}/_search`);
      url.searchParams.set('allow_partial_search_results', 'false');
      const answer = await askJson({
        ...{ method: 'POST', url, headers, body, signal, caFile: configuration.caFile },
        timeoutMilliseconds: configuration.timeoutSeconds * 1000,
      });
      return foundIn(hitsOf(answer), configuration, keyOf);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StepFault) throw error;
      failures.push(`${host}: ${messageOf(error)}`);
    }
  }
  throw new StepFault('unavailable', `No host of the index answered. ${failures.join(' ')}`);
}

export interface FindingContext {
  limit: number;
  keyOf(url: string): string;
  resolveSecret(reference: string): Promise<string>;
  signal: AbortSignal;
}

async function authorization(
  { authentication }: ElasticsearchConfiguration,
  resolveSecret: FindingContext['resolveSecret'],
): Promise<Record<string, string>> {
  if (authentication === undefined) return {};
  if (authentication.kind === 'apiKey') return { authorization: `ApiKey ${await resolveSecret(authentication.key)}` };
  const pair = `${authentication.user}:${await resolveSecret(authentication.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function queryOf({ id, fields, status }: ElasticsearchConfiguration, size: number): object {
  const source = [fields.time, fields.url, fields.size].filter((name) => name !== undefined);
  return {
    size,
    track_total_hits: false,
    _source: source.map((name) => name.replace(/\[\d+\]/g, '')),
    query: {
      bool: {
        filter: [
          { match: { [fields.id]: id } },
          { exists: { field: fields.time } },
          ...(status === undefined ? [] : [{ terms: { [status.field]: status.values } }]),
        ],
      },
    },
    sort: [{ [fields.time]: { order: 'desc', unmapped_type: 'date' } }],
  };
}

/** @throws StepFault where asking another host would give the same; Error where another one may do better */
function hitsOf({ status, body }: HttpAnswer): readonly { _id: string; _source?: unknown }[] {
  if (status === 401 || status === 403)
    throw new StepFault('unavailable', `The index refused the credentials (${status}${reasonOf(body)}).`);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429)
    throw new StepFault('unavailable', `The index did not take the query (${status}${reasonOf(body)}).`);
  if (status !== 200) throw new Error(`answered ${status}${reasonOf(body)}.`);
  const answer = answerSchema.safeParse(body);
  if (!answer.success) throw new Error('gave an answer that is none of a search.');
  if (answer.data.timed_out) throw new Error('ran out of time in the middle of the search.');
  if (answer.data._shards.failed > 0) throw new Error(`could not ask ${answer.data._shards.failed} of its shards.`);
  return answer.data.hits.hits;
}

function reasonOf(body: unknown): string {
  const reason = fieldOf(body, ['error', 'reason']) ?? fieldOf(body, ['error']);
  return typeof reason === 'string' ? `, ${reason.slice(0, 300)}` : '';
}

function foundIn(
  hits: readonly { _id: string; _source?: unknown }[],
  { fields }: ElasticsearchConfiguration,
  keyOf: FindingContext['keyOf'],
): FoundBackup[] {
  const found = new Map<string, FoundBackup>();
  const wrong: string[] = [];
  for (const { _id, _source } of hits) {
    const createdAt = timeOf(valueAt(_source, fields.time));
    const url = valueAt(_source, fields.url);
    if (createdAt === undefined || typeof url !== 'string' || url === '') {
      const lacking = createdAt === undefined ? fields.time : fields.url;
      wrong.push(`Document ${_id} has nothing of use at ${lacking}.`);
      continue;
    }
    const key = keyIn(url, keyOf, { isNewest: found.size === 0 });
    if (key === undefined) continue;
    const size = fields.size === undefined ? undefined : valueAt(_source, fields.size);
    const id = snapshotId(createdAt, url);
    found.set(id, {
      ...{ id, createdAt: createdAt.toISOString(), key },
      ...(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? { storedSize: size } : {}),
    });
  }
  if (found.size === 0 && wrong[0] !== undefined)
    throw new StepFault('unavailable', `None of ${hits.length} documents names a backup. ${wrong[0]}`);
  return newestFirst([...found.values()]);
}

/** Old documents may name where the tool kept its backups before. Where the newest one does, no other is taken for the newest. */
function keyIn(url: string, keyOf: FindingContext['keyOf'], { isNewest }: { isNewest: boolean }): string | undefined {
  try {
    return keyOf(url);
  } catch (error) {
    if (isNewest) throw error;
    return undefined;
  }
}

function valueAt(document: unknown, name: string): unknown {
  return fieldOf(document, parseFieldPath(name) ?? []);
}

/** Elasticsearch's usual forms: ISO 8601, where a time without an offset is UTC, and milliseconds since 1970. */
function timeOf(value: unknown): Date | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const isLocal = typeof value === 'string' && /T[\d:.]+$/.test(value);
  const time = new Date(isLocal ? `${value}Z` : value);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
