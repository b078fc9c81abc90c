import { userInfo } from 'node:os';
import type { Application } from '../../core/application.ts';
import type { Composition, ConfigurationOverrides, OpenApplicationOptions } from '../../core/composition.ts';
import type { Configuration } from '../../core/configuration.ts';
import { HoldfastError } from '../../core/errors.ts';
import { CommandOutput } from './command-output.ts';
import { foreignFolder } from './foreign-folder.ts';
import { Interruption } from './interruption.ts';

/** The options that every command has. */
export interface GlobalOptions {
  config?: string;
  data?: string;
  json?: boolean;
  quiet?: boolean;
  color?: boolean;
}

/** What a command does, for the audit log; the names are those that the API uses. */
export interface Deed {
  action: string;
  /** What it is done to, for example a backup's id. */
  subject?: string;
  details?: Readonly<Record<string, unknown>>;
}

/** One run of the command line: what its options say, what it has opened, how it is interrupted and how it ends. */
export class CommandSession {
  readonly composition: Composition;
  readonly interruption = new Interruption();
  output: CommandOutput;
  /** Set by commands that end well but not perfectly. */
  exitCode = 0;
  /** Set by commands of which every failure must end with one and the same code. */
  failureExitCode: number | undefined;
  /** Recorded with its outcome when the command ends; commands that only list what there is leave it out. */
  deed: Deed | undefined;
  #options: GlobalOptions = {};
  #application: Application | undefined;

  constructor(composition: Composition) {
    this.composition = composition;
    this.output = new CommandOutput({ json: false, quiet: false, color: colorWanted() });
  }

  get signal(): AbortSignal {
    return this.interruption.signal;
  }

  /** Who acts, for `createdBy` and the audit log. */
  get actor(): string {
    return `cli:${userInfo().username}`;
  }

  useOptions(options: GlobalOptions): void {
    this.#options = options;
    const color = options.color !== false && colorWanted();
    this.output = new CommandOutput({ json: options.json === true, quiet: options.quiet === true, color });
  }

  /** Reads the configuration; the command's own options win over file and environment. */
  configuration(overrides: ConfigurationOverrides = {}): Promise<Configuration> {
    const { config, data } = this.#options;
    return this.composition.loadConfiguration({
      ...(config === undefined ? {} : { file: config }),
      overrides: { ...(data === undefined ? {} : { dataFolder: data }), ...overrides },
    });
  }

  /** Opens the application beside a running service. Closed by `close`. */
  async application(configuration?: Configuration, options?: OpenApplicationOptions): Promise<Application> {
    if (this.#application !== undefined) return this.#application;
    const chosen = configuration ?? (await this.configuration({ logLevel: 'silent' }));
    this.warnOfForeignFolder(chosen);
    this.#application = await this.composition.openApplication(chosen, 'command', {
      onUndelivered: (message) => this.output.warn(message),
      ...options,
    });
    return this.#application;
  }

  warnOfForeignFolder({ dataFolder }: Configuration): void {
    const warning = foreignFolder(dataFolder, process.getuid?.());
    if (warning !== undefined) this.output.warn(warning);
  }

  /** Ends the command. @param failure what it failed with, if it did */
  async close(failure?: unknown): Promise<void> {
    this.interruption.stopListening();
    try {
      await this.#recordDeed(failure);
    } finally {
      await this.#application?.close();
    }
  }

  /** Without an application nothing was done that an audit log could hold. */
  async #recordDeed(failure: unknown): Promise<void> {
    if (this.deed === undefined || this.#application === undefined) return;
    const code = failure instanceof HoldfastError ? failure.code : 'internal';
    await this.#application.audit.record({
      actor: this.actor,
      action: this.deed.action,
      ...(this.deed.subject === undefined ? {} : { subject: this.deed.subject }),
      outcome: failure === undefined ? 'success' : 'failure',
      details: { ...this.deed.details, ...(failure === undefined ? {} : { code }) },
    });
  }
}

function colorWanted(): boolean {
  return process.stderr.isTTY === true && !process.env.NO_COLOR;
}
