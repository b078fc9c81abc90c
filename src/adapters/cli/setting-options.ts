import { readFile } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { type Command, InvalidArgumentError } from 'commander';
import { messageOf } from '../../core/errors.ts';
import { usageError } from './exit-codes.ts';
import { gathered } from './option-values.ts';

/** Options that make up the configuration of a resource. */
export interface SettingOptions {
  configuration?: string;
  set?: Setting[];
  unset?: string[];
}

/** One `--set`: where it goes, what, and whether it is added to a list there. */
export interface Setting {
  path: readonly string[];
  value: unknown;
  append: boolean;
}

export function addSettingOptions(command: Command): Command {
  return command
    .option('--configuration <file>', 'JSON file with the whole configuration; - reads standard input')
    .option(
      '--set <key=value>',
      'a setting, for instance connection.port=5432; key+=value adds to a list; may be repeated',
      gatheredSettings,
    );
}

export function addUnsetOption(command: Command): Command {
  return command.option('--unset <key>', 'take a setting away; may be repeated', gathered);
}

/**
 * Reads `key=value` and `key+=value`, in which dots lead into objects. A value that is JSON (a number, `true`, `["a"]`) is taken as
 * that, everything else as text.
 */
export function parseSetting(text: string): Setting {
  const match = SETTING.exec(text);
  if (match === null)
    throw new InvalidArgumentError('Write it as key=value, or as key+=value to add to a list; dots lead inwards.');
  const [, key = '', operator, value = ''] = match;
  return { path: pathOf(key), value: settingValue(value), append: operator === '+=' };
}

/** @returns the configuration that the options make of an earlier one; `--configuration` replaces it as a whole */
export async function configurationOf(
  { configuration, set = [], unset = [] }: SettingOptions,
  earlier: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown>> {
  const start = configuration === undefined ? earlier : await readConfiguration(configuration);
  const removed = unset.reduce<Record<string, unknown>>((settings, key) => without(settings, pathOf(key)), {
    ...start,
  });
  return set.reduce(changed, removed);
}

const SETTING = /^([^=+]+)(\+?=)(.*)$/s;

function gatheredSettings(text: string, earlier: readonly Setting[] | undefined): Setting[] {
  return [...(earlier ?? []), parseSetting(text)];
}

function pathOf(key: string): string[] {
  const path = key.split('.');
  if (path.every((word) => word !== '' && word !== '__proto__')) return path;
  throw new InvalidArgumentError(`"${key}" names no setting.`);
}

/** Digits that a number would not give back stay text. */
function settingValue(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'number' && String(value) !== text ? text : value;
  } catch {
    return text;
  }
}

async function readConfiguration(file: string): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = file === '-' ? await json(process.stdin) : JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // What JSON.parse says quotes the text, in which a password may stand by mistake.
    const reason = error instanceof SyntaxError ? 'it is no JSON' : messageOf(error);
    throw usageError('configuration-unreadable', `The configuration "${file}" cannot be read: ${reason}.`);
  }
  if (isObject(value)) return value;
  throw usageError('configuration-unreadable', `The configuration "${file}" must be a JSON object.`);
}

function changed(settings: Record<string, unknown>, { path, value, append }: Setting): Record<string, unknown> {
  const [key = '', ...inner] = path;
  const before = Object.hasOwn(settings, key) ? settings[key] : undefined;
  if (inner.length === 0) return { ...settings, [key]: append ? appended(before, key, value) : value };
  if (before !== undefined && !isObject(before))
    throw usageError('setting-invalid', `"${key}" has a value of its own: nothing can be set inside it.`);
  return { ...settings, [key]: changed(before ?? {}, { path: inner, value, append }) };
}

function appended(before: unknown, key: string, value: unknown): unknown[] {
  if (before === undefined) return [value];
  if (Array.isArray(before)) return [...before, value];
  throw usageError('setting-invalid', `"${key}" is no list: set it with = instead of +=.`);
}

function without(settings: Record<string, unknown>, path: readonly string[]): Record<string, unknown> {
  const [key = '', ...inner] = path;
  const { [key]: before, ...others } = settings;
  if (inner.length === 0) return others;
  return isObject(before) ? { ...settings, [key]: without(before, inner) } : settings;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
