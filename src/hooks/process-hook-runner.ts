import { HoldfastError, messageOf } from '../core/errors.ts';
import type { HookConfiguration } from '../core/hook-configuration.ts';
import type { Hook, HookEvent, HookRunner } from '../core/ports/hook-runner.ts';
import { matchesAny } from '../core/resource-patterns.ts';
import { type HookProcessEnd, runHookProcess } from './hook-process.ts';

/** Reads what a reference to a secret names. */
export type ResolveSecret = (reference: string) => Promise<string>;

const REFERENCE = /^(env|file):/;
/** What a hook gets of this process's environment: what programs need, and no secret of anybody. */
const INHERITED = ['PATH', 'HOME', 'LANG'];
const MOST_LINES = 10;
const MOST_CHARACTERS = 1000;

/** Hooks as processes of this machine; see `HookRunner` and docs/hooks.md for what they are given. */
export function createProcessHookRunner(
  configured: readonly HookConfiguration[],
  resolveSecret: ResolveSecret,
): HookRunner {
  return {
    due: (when, resourceId) =>
      configured
        .filter((hook) => hook.when === when && matchesAny(hook.resources, resourceId))
        .map((hook) => hookOf(hook, resolveSecret)),
  };
}

function hookOf(configuration: HookConfiguration, resolveSecret: ResolveSecret): Hook {
  const { when, command, onFailure } = configuration;
  const name = `${when} ${command[0]}`;
  return {
    name,
    onFailure,
    run: (event, signal) => runHook(name, configuration, event, signal, resolveSecret),
  };
}

async function runHook(
  name: string,
  { command, timeoutSeconds, environment }: HookConfiguration,
  event: HookEvent,
  signal: AbortSignal,
  resolveSecret: ResolveSecret,
): Promise<void> {
  const { configured, secrets } = await withSecrets(name, environment, resolveSecret);
  let end: HookProcessEnd;
  try {
    end = await runHookProcess(command, {
      environment: { ...inherited(), ...configured, ...described(event) },
      timeoutSeconds,
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    const message = `The hook ${name} cannot be started (${reasonOf(cause)}). Correct \`hooks\` in the configuration, or make the file executable.`;
    throw new HoldfastError('internal', 'hook-not-started', message, { cause });
  }
  if (end.stopped === 'aborted') signal.throwIfAborted();
  const said = lastLines(end.stderr, secrets);
  if (end.stopped === 'timed-out') {
    const message = `The hook ${name} was not done after ${timeoutSeconds} s and was ended${said}. Look at what it waits for, or raise its \`timeoutSeconds\`.`;
    throw new HoldfastError('conflict', 'hook-timed-out', message, { details: { timeoutSeconds } });
  }
  if (end.exitCode === 0) return;
  const how = end.exitCode === null ? `was ended by ${end.signal}` : `ended with exit status ${end.exitCode}`;
  const { exitCode } = end;
  throw new HoldfastError('conflict', 'hook-failed', `The hook ${name} ${how}${said}.`, {
    details: exitCode === null ? {} : { exitCode },
  });
}

async function withSecrets(
  name: string,
  environment: HookConfiguration['environment'],
  resolveSecret: ResolveSecret,
): Promise<{ configured: NodeJS.ProcessEnv; secrets: readonly string[] }> {
  const secrets: string[] = [];
  const configured: NodeJS.ProcessEnv = { ...environment };
  for (const [variable, value] of Object.entries(environment)) {
    if (!REFERENCE.test(value)) continue;
    try {
      const secret = await resolveSecret(value);
      configured[variable] = secret;
      secrets.push(secret);
    } catch (cause) {
      const message = `The hook ${name} cannot be given ${variable}. ${messageOf(cause)}`;
      throw new HoldfastError('internal', 'hook-not-started', message, { cause });
    }
  }
  return { configured, secrets };
}

function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]).filter(([, value]) => value));
}

function described(event: HookEvent): NodeJS.ProcessEnv {
  const variables = {
    HOLDFAST_EVENT: event.when,
    HOLDFAST_RESOURCE_ID: event.resourceId,
    HOLDFAST_TARGET_RESOURCE_ID: event.targetResourceId,
    HOLDFAST_OPERATION_ID: event.operationId,
    HOLDFAST_BACKUP_ID: event.backupId,
    HOLDFAST_OUTCOME: event.outcome,
  };
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined));
}

/** The end of what it wrote, for a person: no control characters, no secrets that it was given. */
function lastLines(stderr: string, secrets: readonly string[]): string {
  let text = stderr;
  for (const secret of secrets) if (secret.length >= 4) text = text.replaceAll(secret, '***');
  const lines = text
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll(UNPRINTABLE, ' ').trim())
    .filter((line) => line !== '');
  if (lines.length === 0) return '';
  const said = lines.slice(-MOST_LINES).join(' | ').slice(-MOST_CHARACTERS);
  return `: ${said.replace(/[.\s]+$/, '')}`;
}

/** Control and formatting characters, those that turn text around included. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}]+/gu;

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return 'there is no such program, or its #! line names none';
  if (code === 'EACCES') return 'it is not executable';
  return messageOf(cause);
}
