import { type Asked, HttpTestServer, type JsonAnswer } from './http-test-server.ts';

type Clause =
  | { match: Record<string, string> }
  | { exists: { field: string } }
  | { terms: Record<string, readonly string[]> };

interface SearchBody {
  size: number;
  query: { bool: { filter: readonly Clause[] } };
  sort: readonly Record<string, { order: 'asc' | 'desc'; unmapped_type: string }>[];
}

/**
 * What Elasticsearch and OpenSearch answer to `POST /{index}/_search`, as far as it is documented: it takes the clauses `match`,
 * `exists` and `terms`, sorts by a date, and wraps documents as they do.
 */
export class ElasticsearchServer extends HttpTestServer {
  /** By their ids. */
  readonly documents = new Map<string, object>();
  /** Answers in the place of the search. */
  instead: JsonAnswer | undefined;
  /** What `authorization` must be. */
  authorization: string | undefined;
  failedShards = 0;
  timedOut = false;

  answer({ method, path, headers, body }: Asked): JsonAnswer {
    if (this.instead !== undefined) return this.instead;
    if (this.authorization !== undefined && headers.authorization !== this.authorization) return UNAUTHORIZED;
    if (method !== 'POST' || path !== '/backups-*/_search') return { status: 404, body: { error: 'not found' } };
    const { size, query, sort } = body as SearchBody;
    const [byTime] = sort;
    const timeField = Object.keys(byTime ?? {})[0] ?? '';
    const hits = [...this.documents]
      .filter(([, document]) => query.bool.filter.every((clause) => holds(clause, document)))
      .map(([id, document]) => ({ id, document, time: Date.parse(String(valueIn(document, timeField))) }))
      .sort((a, b) => b.time - a.time)
      .slice(0, size)
      .map(({ id, document, time }) => ({
        _index: `backups-${new Date(time).getUTCFullYear()}.${new Date(time).getUTCMonth() + 1}`,
        _id: id,
        _score: null,
        _source: document,
        sort: [time],
      }));
    const shards = { total: 2, successful: 2 - this.failedShards, skipped: 0, failed: this.failedShards };
    return {
      status: 200,
      body: { took: 3, timed_out: this.timedOut, _shards: shards, hits: { max_score: null, hits } },
    };
  }
}

const UNAUTHORIZED: JsonAnswer = {
  status: 401,
  body: {
    error: {
      root_cause: [{ type: 'security_exception', reason: 'unable to authenticate user [reader]' }],
      type: 'security_exception',
      reason: 'unable to authenticate user [reader] for REST request [/backups-*/_search]',
    },
    status: 401,
  },
};

function holds(clause: Clause, document: object): boolean {
  if ('exists' in clause) return valueIn(document, clause.exists.field) !== undefined;
  const [[field, wanted] = ['', '']] = Object.entries('match' in clause ? clause.match : clause.terms);
  const found = valueIn(document, field.replace(/\.keyword$/, ''));
  return Array.isArray(wanted) ? wanted.includes(found) : found === wanted;
}

/** Members may be nested, or have dots in their names. */
function valueIn(document: object, field: string): unknown {
  if (field in document) return (document as Record<string, unknown>)[field];
  return field
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document);
}
