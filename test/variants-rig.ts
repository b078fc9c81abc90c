import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { serve } from '../src/adapters/http/serve.ts';
import type { Principal } from '../src/core/access.ts';
import type { Application } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import { DEFAULT_DOWNLOADS, type DownloadConfiguration } from '../src/core/download.ts';
import { choiceInvalid } from '../src/core/download-choice.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { Grant } from '../src/core/grant.ts';
import type { Credentials } from '../src/core/ports/identity-provider.ts';
import type { ResourceTurns } from '../src/core/ports/resource-turns.ts';
import type { Service } from '../src/core/ports/service.ts';
import type {
  DeclaredVariant,
  KeptCopy,
  VariantContent,
  VariantMaker,
  VariantProduction,
  WantedParts,
} from '../src/core/ports/variant-maker.ts';
import type { VariantVerifier } from '../src/core/ports/variant-verifier.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { eventually } from './eventually.ts';
import { bytesOf, type ManagedApplication, openManagedApplication } from './managed-application.ts';

/** The whole service over HTTP with a maker of variants that replaces digits, and does what a test wants of it besides. */
export interface VariantsRig extends ManagedApplication {
  url: string;
  folder: string;
  maker: DigitMasker;
  /** Who calls with `Authorization: Bearer NAME`; while it is empty, everybody is the local admin. */
  principals: Map<string, Principal>;
  /** What was logged. */
  logged: string[];
  upload(resourceId: string, bytes: Uint8Array | string): Promise<Backup>;
  get(route: string, headers?: Record<string, string>, method?: string): Promise<Answered>;
  close(): Promise<void>;
}

export interface Answered {
  status: number;
  text: string;
  headers: Headers;
  /** Of a problem. */
  code?: string;
}

export interface VariantsOptions {
  folder?: string;
  downloads?: Partial<DownloadConfiguration>;
  verifier?: VariantVerifier;
  turns?: ResourceTurns;
  services?: readonly Service[];
  /** Runs its own operations and nobody else's. */
  isCommand?: boolean;
  /** Known before the service takes up what it finds queued. */
  policies?: Readonly<Record<string, Readonly<Record<string, Partial<DeclaredVariant>>>>>;
}

export async function startVariants(
  t: Pick<TestContext, 'after'>,
  options: VariantsOptions = {},
): Promise<VariantsRig> {
  const rig = await openVariants(options.folder ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-variants-'))), options);
  t.after(async () => {
    await rig.close();
    if (options.folder === undefined) await rm(rig.folder, { recursive: true, force: true });
  });
  return rig;
}

export async function openVariants(folder: string, options: VariantsOptions = {}): Promise<VariantsRig> {
  const maker = new DigitMasker();
  for (const [resourceId, variants] of Object.entries(options.policies ?? {})) maker.declare(resourceId, variants);
  const logged: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const { verifier, turns, services } = options;
  const managed = await openManagedApplication(folder, {
    isService: options.isCommand !== true,
    ...(services === undefined ? {} : { services }),
    configuration: { downloads: { ...DEFAULT_DOWNLOADS, ...options.downloads } },
    parts: {
      ...{ variantMaker: maker, sealer: createSqlSealer(), logger },
      ...(turns === undefined ? {} : { turns }),
      ...(verifier === undefined ? {} : { variantVerifier: verifier }),
    },
  });
  const principals = new Map<string, Principal>();
  const application: Application = {
    ...managed.application,
    access: {
      ...managed.application.access,
      credentialsExist: async () => principals.size > 0,
      identify: async (credentials: Credentials) =>
        credentials.kind === 'bearer' ? principals.get(credentials.token) : undefined,
    },
  };
  const running = await serve(application, managed.configuration, logger);
  let closing: Promise<void> | undefined;
  const close = async () => {
    maker.release();
    await running.close(0);
    await application.close(0);
  };
  return {
    ...managed,
    ...{ url: running.url, folder, maker, principals, logged },
    upload: (resourceId, bytes) =>
      application.backups.createPosted({
        ...{ resourceId, service: 'stream', createdBy: 'test' },
        input: (async function* () {
          yield Buffer.from(bytes);
        })(),
      }),
    async get(route, headers = {}, method = 'GET') {
      const answer = await fetch(`${running.url}${route}`, {
        method,
        headers: { accept: 'application/json', authorization: 'Bearer fred', ...headers },
      });
      const text = await answer.text();
      const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') === true;
      const code = isProblem && text !== '' ? { code: (JSON.parse(text) as { code: string }).code } : {};
      return { status: answer.status, text, headers: answer.headers, ...code };
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** What every masked copy has in the place of each digit. */
const MASK = '7';

/** Masks by replacing digits. The content's first line counts as its schema. */
export class DigitMasker implements VariantMaker {
  /** What each resource's policy declares. */
  readonly policies = new Map<string, readonly Omit<DeclaredVariant, 'fingerprint'>[]>();
  /** Changes every fingerprint. */
  version = 'one';
  plans = 0;
  productions = 0;
  /** Thrown by the next plans. */
  refusal: Error | undefined;
  /** Thrown by the next productions at their end. */
  failure: Error | undefined;
  /** Whether productions read and write a sidecar. */
  hasSidecar = false;
  readonly sidecars: string[] = [];
  /** Who asks for parts gets the whole, also of contents that have none. */
  partsAreWhole = false;
  /** Contents that were opened and not closed. */
  open = 0;
  #held: Promise<void> = Promise.resolve();
  #release = (): void => undefined;
  #isReproducible = true;

  /** Productions give their first bytes and then wait. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  declare(resourceId: string, variants: Readonly<Record<string, Partial<DeclaredVariant>>>): void {
    const declared = Object.entries(variants).map(([name, facts]) => ({
      ...{ name, kind: 'masked' as const, produce: 'on-demand' as const, verifiesByLoading: false },
      ...facts,
    }));
    this.policies.set(resourceId, declared);
  }

  async declared(resourceId: string): Promise<readonly DeclaredVariant[]> {
    return (this.policies.get(resourceId) ?? []).map((each) =>
      each.fault === undefined ? { ...each, fingerprint: this.#fingerprint(each.name) } : each,
    );
  }

  async plan(content: VariantContent, variant: string): Promise<VariantProduction> {
    this.plans++;
    const { material, close } = await content.open({ schemaOnly: true, signal: new AbortController().signal });
    await close();
    if (this.refusal !== undefined) throw this.refusal;
    const declared = (await this.declared(content.resourceId)).find(({ name }) => name === variant);
    if (declared === undefined) throw new HoldfastError('unsupported', 'variant-not-available', 'There is none.');
    return {
      variant,
      kind: declared.kind,
      policyHash: createHash('sha256').update(this.version).digest('hex'),
      epoch: '2026',
      fingerprint: this.#fingerprint(variant),
      requirePartsOfKept: requireLines,
      partsOfKept: (kept, parts) => {
        requireLines(parts);
        const { length: _length, sha256: _sha256, ...facts } = material;
        return { ...facts, acceptsRanges: false, bytes: () => linesOf(kept, parts.tables ?? []) };
      },
      readAhead: async (signal) => {
        await content.sidecars?.write('keys-1', bytesOf(`keys read ahead of ${content.snapshotId}`), signal);
      },
      material: async (signal, parts) => {
        const opened = await content.open({
          ...{ schemaOnly: false, signal },
          ...(parts === undefined || this.partsAreWhole ? {} : { parts }),
        });
        this.open++;
        let isOpen = true;
        const { length: _length, sha256: _sha256, ...facts } = opened.material;
        return {
          close: async () => {
            if (isOpen) this.open--;
            isOpen = false;
            await opened.close();
          },
          material: {
            ...facts,
            ...{ format: material.format, isReproducible: this.#isReproducible, acceptsRanges: false },
            bytes: () => this.#masked(opened.material.bytes(), content, signal),
          },
          report: () => ({ tables: [{ name: 'lines', rowsIn: 3, rowsOut: 2 }], canary: { looked: 3, originals: 3 } }),
        };
      },
    };
  }

  async *#masked(
    bytes: AsyncIterable<Uint8Array>,
    { sidecars }: VariantContent,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.productions++;
    if (this.hasSidecar) {
      const found = await sidecars?.read('keys-1', signal);
      const text = found === undefined ? 'none' : Buffer.concat(await Array.fromAsync(found)).toString();
      this.sidecars.push(text);
      await sidecars?.write('keys-1', bytesOf(`keys of ${this.productions}`), signal);
    }
    for await (const piece of bytes) {
      yield Buffer.from(Buffer.from(piece).toString('latin1').replaceAll(/[0-9]/g, MASK), 'latin1');
      await this.#held;
      signal.throwIfAborted();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  #fingerprint(name: string): string {
    return createHash('sha256').update(`${this.version} ${name}`).digest('hex');
  }
}

/** Its tables are its lines, by their first words. */
async function* linesOf(kept: KeptCopy, tables: readonly string[]): AsyncGenerator<Uint8Array> {
  const lines = Buffer.concat(await Array.fromAsync(kept.bytes()))
    .toString('latin1')
    .split(/(?<=\n)/);
  yield Buffer.from(lines.filter((line) => tables.some((table) => line.startsWith(table))).join(''), 'latin1');
}

function requireLines({ tables }: WantedParts): void {
  if (tables === undefined || tables.includes('absent')) throw choiceInvalid('There is no such table.');
}

export function masked(text: string): string {
  return text.replaceAll(/[0-9]/g, MASK);
}

export function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  return eventually(isSo, 'It did not come to that.');
}

export const ROWS = 'name,phone\nAnna,0151 23456\nOtto,0170 99887\n';
export const DUMP = `--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.people (phone text);\nCOPY public.people (phone) FROM stdin;\n0151-23456\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n`;
export const REDUCED = { kind: 'reduced' as const };

export function developer(grants?: readonly Grant[]): Principal {
  return { name: 'fred', role: 'developer', method: 'password', ...(grants === undefined ? {} : { grants }) };
}

export interface Listed {
  id: string;
  variants: { name: string; state: string; reason?: string; size?: number; sha256?: string }[];
  defaultVariant: string | null;
  command: string;
}

export async function listed(rig: VariantsRig): Promise<Listed[]> {
  return JSON.parse((await rig.get('/snapshots')).text) as Listed[];
}

export async function states(rig: VariantsRig): Promise<string> {
  const [newest] = await listed(rig);
  return (newest?.variants ?? []).map(({ name, state }) => `${name}:${state}`).join(' ');
}

export function problem(text: string): {
  detail: string;
  problems?: unknown[];
  operation?: string;
  operationId?: string;
} {
  return JSON.parse(text) as never;
}
