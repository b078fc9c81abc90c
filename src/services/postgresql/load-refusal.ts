import { HoldfastError } from '../../core/errors.ts';

/** What psql is told so that its complaints can be read: `VERBOSITY=verbose`, and no context, which quotes rows. */
export const READABLE_COMPLAINTS = ['--set', 'VERBOSITY=verbose', '--set', 'SHOW_CONTEXT=never'];

/**
 * What a server said no to, by what psql wrote to its standard error. Names of tables and constraints are told and nothing else: complaints quote values.
 * @param version of the server
 */
export function loadRefusal(stderr: string, version: string): HoldfastError {
  const state = /^(?:psql:.*: )?(?:ERROR|FATAL|PANIC): {2}([0-9A-Z]{5}): /m.exec(stderr)?.[1];
  const who = `PostgreSQL ${version}`;
  if (state === undefined) {
    const message = `The variant does not load into ${who}, which left no reason. See whether the folder for temporary files has room.`;
    return new HoldfastError('unavailable', 'variant-load-failed', message);
  }
  const details = { sqlState: state };
  if (LACKS.has(state)) {
    const message = `The variant cannot be loaded here: ${who} lacks an extension or a library that it needs (${state}). Install it for that server, which need not run, or take verify: load out of the policy.`;
    return new HoldfastError('unsupported', 'variant-verifier-missing', message, { details });
  }
  if (FULL.test(state)) {
    const message = `The variant cannot be loaded now: ${who} has no room or no memory for it (${state}). See to the folder for temporary files.`;
    return new HoldfastError('unavailable', 'variant-load-failed', message, { details });
  }
  const broken = brokenConstraint(stderr, state);
  const what = broken === undefined ? (CLASSES[state.slice(0, 2)] ?? 'a statement fails') : broken.what;
  const message = `The variant does not load into ${who}: ${what} (${state}). Nobody gets it. Look at the rules and the subset of its policy; a masked copy of it by hand shows the statement.`;
  return new HoldfastError('invalid', 'variant-not-loadable', message, { details: { ...details, ...broken?.names } });
}

/** undefined_file, feature_not_supported. */
const LACKS = new Set(['58P01', '0A000']);
/** Insufficient resources, and errors of the system. */
const FULL = /^(53|58)/;

const CLASSES: Readonly<Record<string, string>> = {
  '22': 'a value is not one of its column’s type',
  '23': 'a constraint does not hold',
  '42': 'a definition, or the expression of a derived column, is refused',
};

const HOLD = 'does not hold';
/** Complaints that always name their table, and what else they name. */
const NAMING: Readonly<Record<string, { field: 'COLUMN NAME' | 'CONSTRAINT NAME'; what: string }>> = {
  '23502': { field: 'COLUMN NAME', what: 'is NULL, and must not be' },
  '23503': { field: 'CONSTRAINT NAME', what: HOLD },
  '23505': { field: 'CONSTRAINT NAME', what: HOLD },
  '23514': { field: 'CONSTRAINT NAME', what: HOLD },
  '23P01': { field: 'CONSTRAINT NAME', what: HOLD },
};

function brokenConstraint(stderr: string, state: string) {
  const naming = NAMING[state];
  if (naming === undefined) return undefined;
  const [schema, table, name] = ['SCHEMA NAME', 'TABLE NAME', naming.field].map((field) => onlyField(stderr, field));
  if (schema === undefined || table === undefined || name === undefined) return undefined;
  const full = `${schema}.${table}`;
  if (naming.field === 'COLUMN NAME')
    return { what: `column ${name} of ${full} ${naming.what}`, names: { table: full, column: name } };
  return { what: `constraint ${name} of ${full} ${naming.what}`, names: { table: full, constraint: name } };
}

/** Undefined where it comes more than once: a value that a complaint quotes may have lines that look like it. */
function onlyField(stderr: string, field: string): string | undefined {
  const [found, ...more] = stderr.matchAll(new RegExp(`^${field}: {2}(.*)$`, 'gm'));
  return more.length === 0 ? found?.[1] : undefined;
}
