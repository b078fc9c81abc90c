import { HoldfastError } from '../../core/errors.ts';
import { packageOf } from './server-programs.ts';
import { named, type ServerVersion, takesAllOf } from './server-version.ts';

/** Of which server the dump is, where that is known, and into which one it was loaded. */
export interface Load {
  server: ServerVersion;
  dumped: ServerVersion | undefined;
}

/** What a client says of the first statement that failed. */
export interface Complaint {
  number: number;
  state: string;
  /** Where the statement began. */
  line: number;
  /** It may quote values. */
  text: string;
}

/** @param stderr what the client wrote to its standard error */
export function complaintOf(stderr: string): Complaint | undefined {
  const found = /^ERROR (\d+) \(([0-9A-Z]{5})\)(?: at line (\d+))?: ([\s\S]*)$/m.exec(stderr);
  if (found === null) return undefined;
  const [, number, state = '', line, text = ''] = found;
  return { number: Number(number), state, line: Number(line ?? 0), text: text.trimEnd() };
}

/** A name that a complaint tells, where that cannot be a value. A table alone: one of its unique keys. */
export interface BrokenConstraint {
  table?: string;
  constraint?: string;
  column?: string;
}

/** The constraint that a complaint names; complaints of these kinds quote nothing but names. Of unique keys see `duplicateKey`. */
export function brokenConstraint({ number, text }: Complaint): BrokenConstraint | undefined {
  const [checked, check, key, column] = [
    /^CONSTRAINT `(.+?)` failed for `(?:[^`]|``)*`\.`(.+)`$/.exec(text),
    /^Check constraint '(.+)' is violated\.$/.exec(text),
    // MySQL writes a backquote in a name once, MariaDB twice.
    /a foreign key constraint fails \(`.+?`\.`(.+?)`, CONSTRAINT `(.+?)` FOREIGN KEY/.exec(text),
    /^Column '(.+)' cannot be null$/.exec(text),
  ];
  if (number === CHECK_MARIADB && checked !== null) {
    const [, constraint = '', table = ''] = checked;
    return { constraint: constraint.startsWith(`${table}.`) ? constraint.slice(table.length + 1) : constraint, table };
  }
  if (number === CHECK_MYSQL && check?.[1] !== undefined) return { constraint: check[1] };
  if (number === NO_PARENT && key?.[1] !== undefined && key[2] !== undefined)
    return { table: key[1].replaceAll('``', '`'), constraint: key[2].replaceAll('``', '`') };
  if (number === NULL && column?.[1] !== undefined) return { column: column[1] };
  return undefined;
}

/** The unique key that a complaint seems to name at its end, behind a value; MySQL has the table before it. */
export function duplicateKey({ number, text }: Complaint): string | undefined {
  return number === DUPLICATE ? /for key '([^']+)'$/.exec(text)?.[1] : undefined;
}

/** Servers of MariaDB build the indexes of a table behind its first rows where a dump has switched checks off, and say no more than that where these do not fit. */
export function isRefusedAsWhole({ number, text }: Complaint): boolean {
  return number === NOT_COMMITTED && /^Got error 1\b/.test(text);
}

/**
 * What a server said no to. Names of tables and constraints are told and nothing else.
 * @param broken what is known to be such a name
 */
export function loadRefusal(complaint: Complaint | undefined, load: Load, broken?: BrokenConstraint): HoldfastError {
  const who = named(load.server);
  if (complaint === undefined || LOST.has(complaint.number)) {
    const message = `The variant does not load into ${who}, which left no reason. See whether the folder for temporary files has room.`;
    return new HoldfastError('unavailable', 'variant-load-failed', message);
  }
  const { number, state } = complaint;
  const details = { sqlState: state, errorNumber: number };
  if (FULL.has(number)) {
    const message = `The variant cannot be loaded now: ${who} has no room or no memory for it (${number}). See to the folder for temporary files.`;
    return new HoldfastError('unavailable', 'variant-load-failed', message, { details });
  }
  const isBroken = state.startsWith('23') || broken !== undefined || number === CHECK_MARIADB || number === CHECK_MYSQL;
  if (!isBroken && (LACKS.has(number) || OUTSIDE.has(number) || !isFit(load)))
    return new HoldfastError('unsupported', 'variant-verifier-missing', lackingWords(number, load), { details });
  const what = broken === undefined ? (CLASSES[state.slice(0, 2)] ?? 'a statement fails') : brokenWords(broken);
  return notLoadable(`${what} (${number})`, load, { ...details, ...broken });
}

/** That the variant may be whole, and what to install to find out. */
function lackingWords(number: number, load: Load): string {
  const { server, dumped } = load;
  if (OUTSIDE.has(number))
    return `The variant cannot be loaded here: a statement wants more than what is within one database (${number}), as a table with a DATA DIRECTORY of its own does, and the user of the private server of ${named(server)} may not. Take that out of the dump, or verify: load out of the policy.`;
  const why =
    dumped === undefined || isFit(load)
      ? `${named(server)} lacks a collation, an engine or a feature that it needs (${number}). Install it for that server`
      : `${unfit(load)}, which refuses a statement (${number}). Install a server of ${named(dumped)} or newer (apt-get install ${packageOf(dumped)})`;
  return `The variant cannot be loaded here: ${why}, which need not run, or take verify: load out of the policy.`;
}

/** @param what does not hold, in words without values */
export function notLoadable(what: string, load: Load, details: Readonly<Record<string, unknown>>): HoldfastError {
  const other = isFit(load) ? '' : ` ${capital(unfit(load))}.`;
  const message = `The variant does not load into ${named(load.server)}: ${what}. Nobody gets it. Look at the rules and the subset of its policy; a masked copy of it by hand shows the statement.${other}`;
  return new HoldfastError('invalid', 'variant-not-loadable', message, { details });
}

export function brokenWords({ table, constraint, column }: BrokenConstraint): string {
  const of = table === undefined ? '' : ` of ${table}`;
  if (column !== undefined) return `column ${column}${of} is NULL, and must not be`;
  return constraint === undefined ? `a unique key${of} does not hold` : `constraint ${constraint}${of} does not hold`;
}

/** The statement that was busy did not end. */
export function tooSlow({ server }: Load, seconds: number): HoldfastError {
  const message = `The variant cannot be loaded: ${named(server)} was busy with one statement for ${seconds} seconds, and was ended. Take verify: load out of the policy if the tables are that large.`;
  return new HoldfastError('unavailable', 'variant-load-failed', message, { details: { seconds } });
}

function isFit({ server, dumped }: Load): boolean {
  return dumped === undefined || takesAllOf(server, dumped);
}

function unfit({ server, dumped }: Load): string {
  return `its dump is of ${dumped === undefined ? 'an unknown server' : named(dumped)}, and was given to ${named(server)}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const DUPLICATE = 1062;
const NOT_COMMITTED = 1180;
const NULL = 1048;
const NO_PARENT = 1452;
const CHECK_MARIADB = 4025;
const CHECK_MYSQL = 3819;

/** No connection, or none any more: the server went. */
const LOST: ReadonlySet<number> = new Set([1053, 1927, 2002, 2003, 2006, 2013]);
/** A file or a table cannot grow; no memory. */
const FULL: ReadonlySet<number> = new Set([3, 1021, 1026, 1030, 1037, 1038, 1041, 1114]);
/** Character set, collation, engine, function of a plugin, variable or its value, feature, time zone, plugin. */
const LACKS: ReadonlySet<number> = new Set([1115, 1126, 1127, 1128, 1193, 1231, 1235, 1273, 1286, 1298, 1524]);

/** Rights on files or on the whole server. */
const OUTSIDE: ReadonlySet<number> = new Set([1045, 1227]);

const CLASSES: Readonly<Record<string, string>> = {
  '22': 'a value is not one of its column’s type',
  '23': 'a constraint does not hold',
  '42': 'a definition, or the expression of a derived column, is refused',
};
