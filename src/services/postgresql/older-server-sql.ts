import { HEAD_BYTES, withChangedHead } from './script-head.ts';

/** pg_dump and pg_restore set `transaction_timeout` from this version on, whatever server the rows come from or go to. */
export const TRANSACTION_TIMEOUT_SINCE = 17;
/** Since then sequences of identities are told to be LOGGED, where their table is not. */
const LOGGED_SEQUENCES_SINCE = 15;
/** Since then subscriptions have these options, which pg_dump writes of older ones too where the default became another. */
const RUN_AS_OWNER_SINCE = 16;
const STREAMING_SINCE = 14;

const TIMEOUT_LINE = 'SET transaction_timeout = 0;\n';
const NEEDLES = [/\n {4}LOGGED\n/, /^CREATE SUBSCRIPTION /m];

/**
 * Plain SQL as pg_dump and pg_restore write it, without what they write that is unknown to a server which is older than they are. It means what it did.
 * @param server its major version; without it, that of the server which was dumped: it must load into what it came from
 */
export async function* forOlderServer(sql: AsyncIterable<Uint8Array>, server?: number): AsyncGenerator<Uint8Array> {
  let major = server ?? Number.POSITIVE_INFINITY;
  let isByNewer = false;
  const script = withChangedHead(sql, (head) => {
    const said = head.toString('latin1', 0, HEAD_BYTES);
    major = server ?? versionIn(said, /^-- Dumped from database version (\d+)/m) ?? major;
    isByNewer = (versionIn(said, /^-- Dumped by pg_dump version (\d+)/m) ?? 0) > major;
    const at = major < TRANSACTION_TIMEOUT_SINCE ? timeoutIn(said) : undefined;
    return at === undefined ? head : Buffer.concat([head.subarray(0, at), head.subarray(at + TIMEOUT_LINE.length)]);
  });
  const definitions = new Definitions((text) => knownDefinitions(text, major));
  for await (const piece of script)
    if (isByNewer) yield* definitions.take(piece);
    else yield piece;
  yield* definitions.end();
}

function versionIn(text: string, pattern: RegExp): number | undefined {
  const digits = pattern.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Where it is set among the settings that a script begins with: a small one may have rows that read alike. */
function timeoutIn(script: string): number | undefined {
  const first = script.indexOf('\nSET ') + 1;
  const block = first === 0 ? '' : (/^(?:SET .*\n)*/.exec(script.slice(first))?.[0] ?? '');
  const at = `\n${block}`.indexOf(`\n${TIMEOUT_LINE}`);
  return at < 0 ? undefined : first + at;
}

/** @param sql whole statements */
export function knownDefinitions(sql: string, server: number): string {
  if (!NEEDLES.some((needle) => needle.test(sql))) return sql;
  let known = sql;
  if (server < LOGGED_SEQUENCES_SINCE)
    known = known.replaceAll(/( AS IDENTITY \(\n {4}SEQUENCE NAME [^\n]*\n) {4}LOGGED\n/g, '$1');
  return known.replaceAll(/^(CREATE SUBSCRIPTION .* WITH \(connect = false)(.*\);)$/gm, (_, before, options) => {
    let left = options;
    if (server < RUN_AS_OWNER_SINCE) left = left.replace(', run_as_owner = true', '');
    if (server < STREAMING_SINCE) left = left.replace(', streaming = off', '');
    return before + left;
  });
}

const ROWS = /^COPY [^\n]* FROM stdin;\n/m;
const ROWS_END = '\n\\.\n';

/** Changes the statements of a script, and gives rows as they are. */
class Definitions {
  readonly #change: (text: string) => string;
  #held = Buffer.alloc(0);
  #isInRows = false;

  constructor(change: (text: string) => string) {
    this.#change = change;
  }

  *take(piece: Uint8Array): Generator<Uint8Array> {
    this.#held = Buffer.concat([this.#held, piece]);
    for (;;) {
      const given = this.#isInRows ? this.#rows() : this.#statements();
      if (given === undefined) return;
      if (given.length > 0) yield given;
    }
  }

  *end(): Generator<Uint8Array> {
    if (this.#held.length > 0) yield this.#isInRows ? this.#held : this.#changed(this.#held);
    this.#held = Buffer.alloc(0);
  }

  /** @returns undefined where more has to come first */
  #statements(): Buffer | undefined {
    const text = this.#held.toString('latin1');
    const rows = ROWS.exec(text);
    if (rows !== null) {
      this.#isInRows = true;
      // The end of rows is a line, and there may be none of them.
      return this.#changed(this.#shift(rows.index + rows[0].length - 1));
    }
    // Lines that go on with a statement are indented.
    const end = Math.max(...[...'ACGRSD\\-'].map((first) => text.lastIndexOf(`\n${first}`))) + 1;
    return end === 0 ? undefined : this.#changed(this.#shift(end));
  }

  #rows(): Buffer | undefined {
    const at = this.#held.indexOf(ROWS_END);
    if (at >= 0) {
      this.#isInRows = false;
      return this.#shift(at + ROWS_END.length);
    }
    const sure = this.#held.length - ROWS_END.length;
    return sure > 0 ? this.#shift(sure) : undefined;
  }

  #shift(length: number): Buffer {
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  #changed(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const known = this.#change(text);
    return known === text ? bytes : Buffer.from(known, 'latin1');
  }
}
