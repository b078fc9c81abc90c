import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { coverResource } from '../../core/resource-pattern.ts';
import type { MaskingPolicy } from './masking-policy.ts';
import { type PolicyReadOptions, readPolicy } from './read-policy.ts';
import { POLICY_LIMIT_BYTES } from './yaml-text.ts';

/**
 * The policies of a folder: each `*.yaml` or `*.yml` in it (not below it) says which resource it is for. Files are looked at each time, and read again when they
 * have changed. A policy that cannot be read is a fault of the resources that it names, and where that cannot be told, of all: nobody gets what
 * it may have forbidden.
 */
export class PolicyFolder {
  readonly #folder: string;
  readonly #parsePredicate: PolicyReadOptions['parsePredicate'];
  #files = new Map<string, PolicyFileState>();

  constructor(folder: string, parsePredicate: PolicyReadOptions['parsePredicate']) {
    this.#folder = folder;
    this.#parsePredicate = parsePredicate;
  }

  /**
   * The policy of a resource: of those that mean it, the one that names it most exactly. Undefined where none does.
   *
   * @throws HoldfastError `masking-policy-invalid` (invalid): it is broken, or two name the resource equally exactly; `masking-policies-unreadable`
   * (unavailable): the folder cannot be read
   */
  async policyOf(resourceId: string): Promise<FoundPolicy | undefined> {
    const states = await this.#states();
    const unknown = states.find(({ resource }) => resource === undefined);
    if (unknown?.fault !== undefined) throw unknown.fault;
    const meant = states.filter(({ resource }) => resource !== undefined && coverResource([resource], resourceId));
    const exactest = Math.max(...meant.map(({ resource }) => exactness(resource)));
    const [first, second] = meant.filter(({ resource }) => exactness(resource) === exactest);
    if (first === undefined) return undefined;
    if (second !== undefined)
      throw new HoldfastError(
        'invalid',
        'masking-policy-invalid',
        `The masking policies ${first.file} and ${second.file} are both for \`${first.resource}\`. Take one of them away, or let each name another resource.`,
        { details: { policies: [first.file, second.file] } },
      );
    if (first.policy === undefined) throw first.fault;
    return { file: first.file, policy: first.policy };
  }

  async #states(): Promise<PolicyFileState[]> {
    const names = await this.#names();
    const states = await Promise.all(names.map((name) => this.#state(path.join(this.#folder, name))));
    // A file may be gone since the folder was read.
    const present = states.filter((state) => state !== undefined);
    this.#files = new Map(present.map((state) => [state.file, state]));
    return present;
  }

  async #names(): Promise<string[]> {
    try {
      const names = await readdir(this.#folder);
      return names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
    } catch (cause) {
      throw new HoldfastError(
        'unavailable',
        'masking-policies-unreadable',
        `The folder of masking policies ${this.#folder} cannot be read: ${messageOf(cause)}. It is named by \`downloads.policies\`.`,
        { cause },
      );
    }
  }

  async #state(file: string): Promise<PolicyFileState | undefined> {
    const facts = await factsOf(file);
    if (facts === undefined) return undefined;
    if (facts instanceof HoldfastError) return { file, version: '', fault: facts };
    const version = [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join();
    const known = this.#files.get(file);
    if (known?.version === version) return known;
    return { file, version, ...(await this.#read(file, facts.size)) };
  }

  async #read(file: string, size: bigint): Promise<Pick<PolicyFileState, 'policy' | 'fault' | 'resource'>> {
    try {
      if (size > POLICY_LIMIT_BYTES) throw unreadable(file, `it is longer than ${POLICY_LIMIT_BYTES} bytes`);
      const policy = readPolicy(await textOf(file), { name: file, parsePredicate: this.#parsePredicate });
      return { policy, resource: policy.resource };
    } catch (error) {
      const fault = error instanceof HoldfastError ? error : unreadable(file, messageOf(error));
      const { resource } = fault.details;
      return { fault, ...(typeof resource === 'string' ? { resource } : {}) };
    }
  }
}

export interface FoundPolicy {
  /** Its path, for messages to whoever runs the service. */
  file: string;
  policy: MaskingPolicy;
}

interface PolicyFileState {
  file: string;
  /** Another one where the file was changed. */
  version: string;
  /** Undefined where it cannot be told. */
  resource?: string;
  policy?: MaskingPolicy;
  fault?: HoldfastError;
}

/** Undefined for a folder, and for a file that has gone meanwhile. A link that leads nowhere has not gone: it is a policy that cannot be read. */
async function factsOf(file: string): Promise<BigIntStats | HoldfastError | undefined> {
  try {
    const facts = await stat(file, { bigint: true });
    if (facts.isDirectory()) return undefined;
    return facts.isFile() ? facts : unreadable(file, 'it is no file');
  } catch (error) {
    const isThere = await lstat(file).then(
      () => true,
      (cause: unknown) => systemErrorCode(cause) !== 'ENOENT',
    );
    return isThere ? unreadable(file, messageOf(error)) : undefined;
  }
}

async function textOf(file: string): Promise<string> {
  return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
}

function unreadable(file: string, what: string): HoldfastError {
  return new HoldfastError('invalid', 'masking-policy-invalid', `The masking policy ${file} cannot be read: ${what}.`);
}

/** Higher where a pattern means fewer resources. */
function exactness(resource = ''): number {
  return resource.endsWith('*') ? resource.length - 1 : Number.POSITIVE_INFINITY;
}
