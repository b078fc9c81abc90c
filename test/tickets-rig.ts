import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { TicketAnswer } from '../src/adapters/http/schemas/ticket-schema.ts';
import { serve } from '../src/adapters/http/serve.ts';
import type { Configuration } from '../src/core/configuration.ts';
import { DEFAULT_DOWNLOADS, type DownloadConfiguration } from '../src/core/download.ts';
import type { Grant } from '../src/core/grant.ts';
import type { IdentityConfiguration } from '../src/core/identity-configuration.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createArgon2Passwords } from '../src/identity/local/argon2-passwords.ts';
import { createLocalUsers } from '../src/identity/local/local-users.ts';
import { createProxyIdentity } from '../src/identity/proxy/proxy-identity.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { DigitMasker } from './variants-rig.ts';

export const PASSWORD = 'several words: nobody guesses';
export const CONTENT = 'Anna 4711\nBert 4712\n';
export const MASKED = CONTENT.replaceAll(/\d/g, '7');

/** The whole service over HTTP, with real tokens and users, a clock that can be moved, and what it logs. */
export interface TicketsRig extends ManagedApplication {
  url: string;
  maker: DigitMasker;
  logged: string[];
  /** Stores bytes as a backup of a resource of streams. */
  upload(resourceId: string, bytes?: string): Promise<string>;
  /** A developer's token, as headers. */
  token(name: string, grants?: readonly Grant[]): Promise<Record<string, string>>;
  ask(headers: Record<string, string>, body: object): Promise<Response>;
  /** A ticket that is given. */
  ticket(headers: Record<string, string>, body: object): Promise<TicketAnswer>;
  audits(action: string): Promise<AuditFacts[]>;
}

export type AuditFacts = Awaited<ReturnType<ManagedApplication['application']['audit']['page']>>['items'][number];

export interface TicketsOptions {
  downloads?: Partial<DownloadConfiguration>;
  identity?: IdentityConfiguration;
}

export async function startTickets(
  t: Pick<TestContext, 'after'>,
  { downloads, identity }: TicketsOptions = {},
): Promise<TicketsRig> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-tickets-'));
  const maker = new DigitMasker();
  maker.declare('shop', { masked: {} });
  const logged: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const passwords = createArgon2Passwords({ memoryKiB: 64, passes: 1, parallelism: 1 });
  const configuration: Partial<Configuration> = {
    downloads: { ...DEFAULT_DOWNLOADS, ...downloads },
    ...(identity === undefined ? {} : { identity }),
  };
  const managed = await openManagedApplication(folder, {
    isService: true,
    configuration,
    parts: { variantMaker: maker, sealer: createSqlSealer(), logger },
    identity: async ({ catalogue: { users }, clock }) => ({
      passwords,
      providers: [
        createLocalUsers({ users, passwords, clock }),
        ...(identity?.proxy === undefined
          ? []
          : [
              await createProxyIdentity({
                ...{ proxy: identity.proxy, rules: identity.grants, clock },
                resolveSecret: async () => '',
              }),
            ]),
      ],
      refusalMilliseconds: 1,
    }),
  });
  const { application } = managed;
  const running = await serve(application, managed.configuration, logger);
  t.after(async () => {
    maker.release();
    await running.close(0);
    await application.close(0);
    await rm(folder, { recursive: true, force: true });
  });
  const ask: TicketsRig['ask'] = (headers, body) =>
    fetch(`${running.url}/tickets`, { method: 'POST', headers, body: JSON.stringify(body) });
  return {
    ...managed,
    ...{ url: running.url, maker, logged, ask },
    upload: async (resourceId, bytes = CONTENT) => {
      const input = (async function* () {
        yield Buffer.from(bytes);
      })();
      return (await application.backups.createPosted({ resourceId, service: 'stream', input, createdBy: 'test' })).id;
    },
    token: async (name, grants) => {
      const { token } = await application.access.createToken({
        ...{ name, role: 'developer' },
        ...(grants === undefined ? {} : { grants }),
      });
      return { authorization: `Bearer ${token}` };
    },
    ticket: async (headers, body) => {
      const answer = await ask(headers, body);
      assert.equal(answer.status, 201, await answer.clone().text());
      return (await answer.json()) as TicketAnswer;
    },
    audits: async (action) => [...(await application.audit.page({ action }, { limit: 100 })).items].reverse(),
  };
}

/** As a program asks that wants to know what is wrong. */
export async function outcome(url: string, headers: Record<string, string> = {}): Promise<[number, string]> {
  const answer = await fetch(url, { headers: { accept: 'application/json', ...headers } });
  const text = await answer.text();
  return [answer.status, answer.ok ? text : (JSON.parse(text) as { code: string }).code];
}
