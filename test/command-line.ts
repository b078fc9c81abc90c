import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Backup } from '../src/core/backup.ts';
import type { KeySlot } from '../src/core/ports/repository.ts';
import type { CheckReport } from '../src/core/ports/repository-check.ts';

const STARTER = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** What commands print with `--json`, as far as these tests look at it. */
export interface Result {
  backup: Backup;
  backups: Backup[];
  entries: { path: string }[];
  matches: { backupId: string }[];
  changes: { kind: string; pointer: string }[];
  kept: { id: string }[];
  forgotten: { id: string }[];
  keys: KeySlot[];
  epoch: number;
  ok: boolean;
  reports: CheckReport[];
  checks: { message: string }[];
  repositories: { added: number }[];
  token: string;
  copies: { id: string; state: string }[];
  tokens: { id: string }[];
  record: { id: string };
}

interface Problem {
  code: string;
  message: string;
}

/** A temporary folder with a data folder in it, and the command line that works on that. */
export class CommandLine {
  readonly folder: string;
  readonly data: string;
  readonly environment: NodeJS.ProcessEnv;

  constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, 'data');
    const foreign = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|PORT$|NODE_TEST|NO_COLOR)/.test(name));
    this.environment = { ...Object.fromEntries(foreign), HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') };
  }

  start(words: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
    const data = words.includes('--data') ? [] : ['--data', this.data];
    return spawn(process.execPath, [STARTER, ...words, ...data], {
      cwd: this.folder,
      env: { ...this.environment, ...environment },
    });
  }

  async run(words: readonly string[], input = '', environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const child = this.start(words, environment);
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
    return ended(child);
  }

  /** Runs with `--json` and reads the result; fails unless the command ends with `code`. */
  async json(words: readonly string[], input = '', code = 0): Promise<Result> {
    const result = await this.run([...words, '--json'], input);
    assert.equal(result.code, code, `${words.join(' ')}: ${result.stderr}`);
    return JSON.parse(result.stdout);
  }

  /** Runs a command that must fail, and reads the problem it printed. */
  async problem(words: readonly string[], code: number, environment: NodeJS.ProcessEnv = {}): Promise<Problem> {
    const result = await this.run([...words, '--json'], '', environment);
    assert.equal(result.code, code, `${words.join(' ')}: ${result.stdout}${result.stderr}`);
    const problem = JSON.parse(result.stderr.trim().split('\n').at(-1) ?? '');
    assert.match(problem.message, /^([A-Z]|\/|-).* .*\.$/, 'a sentence that says what to do');
    return problem;
  }

  /** Starts the service on a free port and waits until it says where it is. */
  async serve(context: TestContext, words: readonly string[] = []): Promise<{ url: string; child: ChildProcess }> {
    const child = this.start(['serve', '--port', '0', '--json', ...words]);
    context.after(() => child.kill('SIGKILL'));
    const failure = text(child.stderr!);
    for await (const line of child.stdout!.setEncoding('utf8')) {
      if (String(line).includes('"url"')) {
        child.stdout!.resume();
        return { url: JSON.parse(String(line)).url, child };
      }
    }
    throw new Error(`The service did not start: ${await failure}`);
  }

  async put(path: string, content: string): Promise<string> {
    const absolute = join(this.folder, path);
    await mkdir(join(absolute, '..'), { recursive: true });
    await writeFile(absolute, content);
    return absolute;
  }
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close'),
  ]);
  return { code, signal, stdout, stderr };
}

/** In a temporary folder that goes with the test. */
export async function commandLine(context: TestContext): Promise<CommandLine> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return new CommandLine(folder);
}

export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
