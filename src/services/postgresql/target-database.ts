import { randomBytes } from 'node:crypto';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { StoredDatabase } from './contents.ts';
import { readServerVersion } from './database-facts.ts';
import type { RestoreOptions } from './restore-options.ts';
import { quoted, quotedLiteral, type Session } from './session.ts';

/**
 * A database that a restore makes. It gets its name only when it is complete, so that no half one is ever taken for a whole
 * one, and an old one of that name is there until then.
 */

export function workingName(): string {
  return `holdfast_restore_${randomBytes(6).toString('hex')}`;
}

/** @throws HoldfastError `postgresql-create-denied` (denied) where the session's role may not make databases */
export async function requireCreateRight(session: Session, names: readonly string[]): Promise<void> {
  const { role, allowed } = await session.row<{ role: string; allowed: boolean }>(
    'SELECT rolname AS role, rolcreatedb OR rolsuper AS allowed FROM pg_roles WHERE rolname = current_user',
  );
  if (allowed) return;
  const named = names.map((name) => `"${name}"`).join(', ');
  const message = `The role "${role}" may not create databases, and this restore would have to make ${named}. Nothing was changed. Have a superuser say \`ALTER ROLE ${quoted(role)} CREATEDB\`, restore with another \`connection\`, or into an empty database that is there, by \`targetDatabase\`.`;
  throw new HoldfastError('denied', 'postgresql-create-denied', message, { details: { role, databases: names } });
}

/** Made of template0, as only that may have another encoding or locale than the cluster's. */
export async function createDatabase(
  session: Session,
  name: string,
  { encoding, collate, ctype, localeProvider, locale }: StoredDatabase,
  targetMajor: number,
): Promise<void> {
  const provider = targetMajor < 15 ? '' : providerClause(localeProvider, locale, targetMajor);
  await session.run(
    `CREATE DATABASE ${quoted(name)} TEMPLATE template0 ENCODING ${quotedLiteral(encoding)}
       LC_COLLATE ${quotedLiteral(collate)} LC_CTYPE ${quotedLiteral(ctype)}${provider}`,
  );
}

function providerClause(provider: string, locale: string | null, major: number): string {
  if (provider === 'i') return ` LOCALE_PROVIDER icu${locale === null ? '' : ` ICU_LOCALE ${quotedLiteral(locale)}`}`;
  if (provider === 'b' && major >= 17)
    return ` LOCALE_PROVIDER builtin${locale === null ? '' : ` BUILTIN_LOCALE ${quotedLiteral(locale)}`}`;
  return ' LOCALE_PROVIDER libc';
}

/** Ends whatever of ours is still connected to it. */
export async function dropWorkingDatabase(session: Session, name: string): Promise<void> {
  const { major } = await readServerVersion(session);
  await session.run(`DROP DATABASE IF EXISTS ${quoted(name)}${major >= 13 ? ' WITH (FORCE)' : ''}`);
}

export async function dropDatabase(session: Session, name: string): Promise<void> {
  await session.run(`DROP DATABASE IF EXISTS ${quoted(name)}`);
}

export async function renameDatabase(session: Session, from: string, to: string): Promise<void> {
  await session.run(`ALTER DATABASE ${quoted(from)} RENAME TO ${quoted(to)}`);
}

/**
 * What belongs to a database but is in no dump without its name: comment, limit, settings, privileges, owner. What the target
 * does not allow or know becomes a warning, as the data are complete without it.
 */
export async function applyProperties(
  session: Session,
  name: string,
  database: StoredDatabase,
  options: Pick<RestoreOptions, 'owners' | 'privileges'>,
  warn: (message: string) => void,
): Promise<void> {
  const target = quoted(name);
  const attempt = async (...statements: string[]): Promise<void> => {
    try {
      for (const statement of statements) await session.run(statement);
    } catch (error) {
      warn(`A property of the database was not restored: ${messageOf(error)}`);
    }
  };
  if (database.comment !== null) await attempt(`COMMENT ON DATABASE ${target} IS ${quotedLiteral(database.comment)}`);
  for (const { role, name: setting, value } of database.settings) {
    const whose = role === '' ? `ALTER DATABASE ${target}` : `ALTER ROLE ${quoted(role)} IN DATABASE ${target}`;
    // A list such as a search path is one text here: the server takes it apart itself.
    await attempt(
      'BEGIN',
      `SELECT set_config(${quotedLiteral(setting)}, ${quotedLiteral(value)}, true)`,
      `${whose} SET ${setting.split('.').map(quoted).join('.')} FROM CURRENT`,
      'COMMIT',
    );
    // After a failure its transaction is still open.
    await session.run('ROLLBACK');
  }
  if (options.privileges && database.privileges !== null) {
    await attempt(`REVOKE ALL ON DATABASE ${target} FROM PUBLIC`);
    for (const { grantee, privilege, grantable } of database.privileges) {
      if (grantee === database.owner) continue;
      const to = grantee === '' ? 'PUBLIC' : quoted(grantee);
      await attempt(`GRANT ${privilege} ON DATABASE ${target} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`);
    }
  }
  if (database.connectionLimit !== -1)
    await attempt(`ALTER DATABASE ${target} CONNECTION LIMIT ${Number(database.connectionLimit)}`);
  if (options.owners) await attempt(`ALTER DATABASE ${target} OWNER TO ${quoted(database.owner)}`);
}
