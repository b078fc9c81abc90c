import { choiceInvalid } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { OpenVariantContent, VariantReport, WantedParts } from '../../core/ports/variant-maker.ts';
import { tableName, tableNameParts } from '../content/table-name.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { withContent } from './content-reading.ts';
import { type MaskedMaterialOptions, maskedMaterial } from './masked-material.ts';

/**
 * Some tables or files of a variant with all rows. The plan is that of the whole content, so that what nobody named stops a part as well, wherever it is;
 * values, counts and the canary are those of a whole variant. The canary knows originals of what is read: those of these tables and files.
 * @throws HoldfastError `download-choice-invalid` (invalid) where the variant has none such, told in the same words whether the backup has them or not
 */
export async function partOfMaterial(
  options: MaskedMaterialOptions,
  parts: WantedParts,
): Promise<OpenVariantContent & { report(): VariantReport }> {
  const { plan, subset } = options;
  if (subset !== undefined || plan.content.kind === 'document') throw whole(plan, parts);
  return plan.content.kind === 'tables' ? someTables(options, parts) : someFiles(options, parts);
}

async function someTables(options: MaskedMaterialOptions, { tables, paths }: WantedParts) {
  const { plan } = options;
  if (tables === undefined || paths !== undefined) throw whole(plan, { tables, paths });
  const named = tablesGiven(plan, tables);
  try {
    return await maskedMaterial({ ...options, parts: { tables: named } });
  } catch (error) {
    // The source may name tables that the variant has not.
    if (isMissing(error)) throw noSuchTables(plan, tables);
    throw error;
  }
}

async function someFiles(options: MaskedMaterialOptions, { tables, paths }: WantedParts) {
  const { plan, content, key, threads, signal } = options;
  // Bytes of one file come without its name, by which its rules are found.
  if (paths === undefined || tables !== undefined || content.format !== 'tar') throw whole(plan, { tables, paths });
  const wanted = paths.map((path) => path.replace(/^\/+|\/+$/g, ''));
  const made = await maskedMaterial({ ...options, parts: { paths: wanted } }).catch((error) => {
    throw isMissing(error) ? noSuchPaths(error.details.paths as readonly string[]) : error;
  });
  try {
    const run = { plan, key, threads, signal, counts: { tables: new Map() } };
    const { pathsGiven } = await import('../content/files/mask-archive.ts');
    const found = await withContent(content, { schemaOnly: true, signal }, ({ material }) =>
      pathsGiven(material.bytes(), run, wanted),
    );
    const missing = wanted.filter((path) => !found.has(path));
    if (missing.length > 0) throw noSuchPaths(missing);
    return made;
  } catch (error) {
    await made.close();
    throw error;
  }
}

/** The full names of tables. Without a schema, a name means the one table that has it, or of several the one in `public`. */
export function tablesGiven(plan: VariantPlan, names: readonly string[]): string[] {
  const all = namesIn(plan);
  const found = names.map((name) => {
    const same = all.filter((parts) => parts.at(-1) === name);
    const [only] = same.length === 1 ? same : same.filter(([schema]) => schema === 'public');
    return only ?? all.find((parts) => tableName(parts) === spelt(name));
  });
  if (found.length === 0 || found.includes(undefined))
    throw noSuchTables(
      plan,
      names.filter((_, index) => found[index] === undefined),
    );
  return found.map((parts) => (parts ?? []).map((part) => `"${part.replaceAll('"', '""')}"`).join('.'));
}

function namesIn({ content }: VariantPlan): string[][] {
  const tables = content.kind === 'tables' ? content.tables : [];
  return tables.filter(({ fate }) => fate !== 'drop').map(({ table }) => tableNameParts(table));
}

/** As a plan spells it. */
function spelt(name: string): string | undefined {
  try {
    return tableName(tableNameParts(name));
  } catch {
    return undefined;
  }
}

const NAMES_TOLD = 20;

function noSuchTables(plan: VariantPlan, missing: readonly string[]): HoldfastError {
  const all = namesIn(plan).map(tableName);
  const more = all.length > NAMES_TOLD ? ` and ${all.length - NAMES_TOLD} more` : '';
  const told = `${all.slice(0, NAMES_TOLD).join(', ')}${more}`;
  return choiceInvalid(`The variant "${plan.variant}" has no table ${missing.join(', ')}. It has ${told || 'none'}.`, {
    missing,
  });
}

function noSuchPaths(paths: readonly string[]): HoldfastError {
  const message = `The variant has nothing at ${paths.join(', ')}. Name paths as the archive of the whole variant names them.`;
  return choiceInvalid(message, { paths });
}

function whole({ variant }: VariantPlan, parts: { [Name in keyof WantedParts]: WantedParts[Name] | undefined }) {
  const named = parts.tables === undefined ? 'path' : 'tables';
  return choiceInvalid(
    `Parts of the variant "${variant}" cannot be chosen like that: tables are chosen of databases as SQL, paths of files as \`tar\`. Leave \`${named}\` away.`,
  );
}

/** A source says that it has no such part. */
function isMissing(error: unknown): error is HoldfastError {
  if (!(error instanceof HoldfastError) || error.code !== 'download-choice-invalid') return false;
  return Array.isArray(error.details.missing) || Array.isArray(error.details.paths);
}
