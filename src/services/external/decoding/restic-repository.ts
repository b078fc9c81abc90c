import { Readable } from 'node:stream';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import { type ChildEnd, plainEnvironment, type RunningChild, startChild } from '../../../process/child-process.ts';
import { toolKilled, toolMissing } from './decoding-faults.ts';
import { throughProcess } from './process-stage.ts';

export interface ResticSettings {
  /** As restic takes it: `/folder`, `s3:https://…`, `rest:https://…`, `sftp:user@host:/folder` … */
  repository: string;
  password: string;
  /** Credentials of the storage, as restic's documentation names them: `AWS_ACCESS_KEY_ID` … */
  credentials?: Readonly<Record<string, string>>;
  /** Where restic keeps what it has learned of the repository. Default: nowhere. */
  cacheFolder?: string;
}

export interface ResticFilter {
  host?: string;
  /** All of these must be on a snapshot. */
  tags?: readonly string[];
  /** All of these must have been backed up. */
  paths?: readonly string[];
}

export interface ResticSnapshot {
  id: string;
  /** RFC 3339 */
  createdAt: string;
  host: string;
  tags: readonly string[];
  paths: readonly string[];
}

const LISTING_MILLISECONDS = 120_000;
const MOST_LISTED_BYTES = 64 * 1024 * 1024;

/** A repository of restic (https://restic.net), read by its program and never changed, not even by a lock. */
export class ResticRepository {
  readonly #settings: ResticSettings;

  /** @throws HoldfastError `configuration-invalid` */
  constructor(settings: ResticSettings) {
    requireReadable(settings);
    this.#settings = settings;
  }

  /**
   * The snapshots that fit, newest first.
   * @throws HoldfastError `external-key-wrong` (wrong-key), `restic-repository-missing` (not-found), `restic-failed` (unavailable)
   */
  async snapshots({ host, tags = [], paths = [] }: ResticFilter, signal: AbortSignal): Promise<ResticSnapshot[]> {
    const args = ['snapshots', '--json'];
    if (host !== undefined) args.push(`--host=${host}`);
    // Commas would be read as another tag; several options mean any of them.
    if (tags.length > 0) args.push(`--tag=${tags.join(',')}`);
    for (const path of paths) args.push(`--path=${path}`);
    const timeout = AbortSignal.timeout(LISTING_MILLISECONDS);
    const pieces: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const piece of this.#output(args, AbortSignal.any([signal, timeout]))) {
        length += piece.length;
        if (length > MOST_LISTED_BYTES) throw failed('It lists more snapshots than can be shown; filter them.');
        pieces.push(piece);
      }
    } catch (error) {
      if (timeout.aborted && !signal.aborted)
        throw failed(`It did not answer within ${LISTING_MILLISECONDS / 1000} s.`, error);
      throw error;
    }
    const listed = listing.safeParse(parsed(Buffer.concat(pieces).toString('utf8')));
    if (!listed.success) throw failed('Its list of snapshots is not one that Holdfast understands.', listed.error);
    return (listed.data ?? [])
      .map(({ id, time, hostname, tags: its, paths: backedUp }) => {
        const createdAt = new Date(time).toISOString();
        return { id, createdAt, host: hostname, tags: its ?? [], paths: backedUp };
      })
      .sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  }

  /**
   * A file's bytes, or a folder as a tar archive. Ends without an error only if restic says that all is well.
   *
   * @param path as the snapshot has it, from its root: `/var/backups/shop.sql`; `/` is all
   * @throws HoldfastError as `snapshots`, and `restic-path-missing` (not-found), `external-backup-damaged` (damaged)
   */
  dump(snapshotId: string, path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    if (!/^[0-9a-f]{8,64}$/.test(snapshotId) || !path.startsWith('/'))
      throw new HoldfastError('not-found', 'restic-path-missing', `There is no snapshot ${snapshotId} with ${path}.`);
    return this.#output(['dump', '--archive=tar', '--', snapshotId, path], signal);
  }

  async *#output(args: readonly string[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const child = this.#start(args, signal);
    yield* throughProcess(Readable.from([]), {
      child,
      signal,
      judge: (end) => judge(end, this.#withoutSecrets(end.stderr)),
    });
  }

  #start(args: readonly string[], signal: AbortSignal): RunningChild {
    const { repository, password, credentials = {}, cacheFolder } = this.#settings;
    const cache = cacheFolder === undefined ? '--no-cache' : `--cache-dir=${cacheFolder}`;
    const environment = { ...plainEnvironment(), ...credentials, ...homeFolder() };
    return startChild('restic', ['--no-lock', '--quiet', cache, ...args], {
      environment: { ...environment, RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: password },
      signal,
      notStarted: (cause) => toolMissing('restic', 'restic', cause),
    });
  }

  /** What restic says names the repository, and that may have a password in it. */
  #withoutSecrets(text: string): string {
    const { repository, password, credentials = {} } = this.#settings;
    const place = repository.replace(/^[a-z0-9]+:/, '');
    const secrets = [password, repository, place, ...Object.values(credentials)].filter(({ length }) => length >= 4);
    return secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text);
  }
}

/** Those that restic documents, but for the ones that make it start a program or look for secrets in other files. */
const CREDENTIAL = new RegExp(
  [
    '^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|REGION|DEFAULT_REGION)$',
    '^AZURE_(ACCOUNT_NAME|ACCOUNT_KEY|ACCOUNT_SAS|ENDPOINT_SUFFIX)$',
    '^GOOGLE_(PROJECT_ID|APPLICATION_CREDENTIALS|ACCESS_TOKEN)$',
    '^(B2_ACCOUNT_(ID|KEY)|RESTIC_REST_(USERNAME|PASSWORD)|(OS|ST)_[A-Z0-9_]+)$',
  ].join('|'),
);
/** No `rclone:`, which starts a program with arguments out of the repository's name, nor a host that ssh would read as an option. */
const REPOSITORY =
  /^(\/|(s3|rest|b2|azure|gs|swift):[^-\s]|sftp:(\/\/)?([A-Za-z0-9_][^@:/\s]*@){0,2}[A-Za-z0-9_[][^@/\s]*[:/])/;

function requireReadable({ repository, credentials = {} }: ResticSettings): void {
  const refuse = (message: string) => new HoldfastError('invalid', 'configuration-invalid', message);
  if (!REPOSITORY.test(repository))
    throw refuse('`repository` must be an absolute path or begin with s3:, rest:, b2:, azure:, gs:, swift: or sftp:.');
  for (const name of Object.keys(credentials))
    if (!CREDENTIAL.test(name)) throw refuse(`${name} is not one of the credentials that restic takes for a storage.`);
}

/** ssh(1) looks there for keys and known hosts. */
function homeFolder(): NodeJS.ProcessEnv {
  return process.env.HOME === undefined ? {} : { HOME: process.env.HOME };
}

const listing = z
  .array(
    z.object({
      id: z.string().regex(/^[0-9a-f]{64}$/),
      time: z.iso.datetime({ offset: true }),
      hostname: z.string(),
      tags: z.array(z.string()).nullish(),
      paths: z.array(z.string()),
    }),
  )
  .nullable();

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Its exit codes 10 and 12 are newer than the restic of Debian 12; older ones say it in words only.
 * @param said what it wrote, without secrets
 */
function judge(end: ChildEnd, said: string): HoldfastError | undefined {
  if (end.exitCode === 0) return undefined;
  if (end.signal !== null) return toolKilled('restic', end);
  const cause = new Error(`exit code ${end.exitCode}: ${said.trim()}`);
  const make = (kind: HoldfastError['kind'], code: string, message: string) =>
    new HoldfastError(kind, code, message, { cause });
  if (end.exitCode === 12 || /wrong password or no key found/.test(end.stderr))
    return make('wrong-key', 'external-key-wrong', 'The configured password does not open the restic repository.');
  if (/not found in snapshot|no matching ID found|no snapshot found/.test(end.stderr))
    return make(
      'not-found',
      'restic-path-missing',
      'The restic repository has no such snapshot, or the path is not in it.',
    );
  if (
    /verification failed|does not match|invalid data|load(Blob|ing blob).*failed|not found in index/i.test(end.stderr)
  )
    return make(
      'damaged',
      'external-backup-damaged',
      'The restic repository is damaged. Take another snapshot, and tell the operator.',
    );
  if (end.exitCode === 10 || /no such file or directory|does not exist/.test(end.stderr))
    return make('not-found', 'restic-repository-missing', 'There is no restic repository at the configured place.');
  return failed('It ended with an error that the log of the service shows.', cause);
}

function failed(what: string, cause?: unknown): HoldfastError {
  const message = `The restic repository cannot be read. ${what}`;
  return new HoldfastError('unavailable', 'restic-failed', message, { cause });
}
