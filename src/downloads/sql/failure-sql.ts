import { dollarQuoted, mysqlMessage, postgresqlString } from './sql-quoting.ts';

/** A statement that fails in PostgreSQL and shows the message. */
export function postgresqlFailure(message: string): string {
  const body = `BEGIN RAISE EXCEPTION USING MESSAGE = ${postgresqlString(message)}; END`;
  return `DO ${dollarQuoted(body)};\n`;
}

/** A statement that fails in MySQL and MariaDB and shows the first 128 characters of the message. */
export function mysqlFailure(message: string): string {
  return `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = ${mysqlMessage(message)};\n`;
}

/**
 * SQL that fails with the message in whatever client reads it. To psql the first line is a comment; the clients of MySQL and MariaDB run
 * it and read no further.
 */
export function failureSql(message: string): string {
  const forMysql = `/*! SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = ${mysqlMessage(message)} */;\n`;
  return `${forMysql}\\set ON_ERROR_STOP on\n${postgresqlFailure(message)}`;
}
