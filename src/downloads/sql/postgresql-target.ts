import { dollarQuoted } from './sql-quoting.ts';

const OWN_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const OF_NO_EXTENSION = (catalogue: string, row: string) =>
  `NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalogue}'::pg_catalog.regclass AND d.objid = ${row}.oid AND d.deptype = 'e')`;

/** Fails where a database holds anything but extensions. */
export function mustBeEmpty(): string {
  return `DO ${dollarQuoted(`
DECLARE found text;
BEGIN
  SELECT pg_catalog.string_agg(name, ', ') INTO found FROM (
    SELECT pg_catalog.format('schema %I', n.nspname) AS name FROM pg_catalog.pg_namespace n
      WHERE ${OWN_SCHEMA} AND n.nspname <> 'public' AND ${OF_NO_EXTENSION('pg_namespace', 'n')}
    UNION ALL SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE ${OWN_SCHEMA} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${OF_NO_EXTENSION('pg_class', 'c')}
    UNION ALL SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE ${OWN_SCHEMA} AND ${OF_NO_EXTENSION('pg_proc', 'p')}
    UNION ALL SELECT t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
      WHERE ${OWN_SCHEMA} AND t.typtype IN ('e', 'd', 'r') AND ${OF_NO_EXTENSION('pg_type', 't')}
    LIMIT 5
  ) AS things;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'The database % is not empty: it has %.', pg_catalog.current_database(), found
      USING HINT = 'Nothing was changed. Load it into an empty database (createdb), or download it with mode=replace, which takes out what is there in the same transaction.';
  END IF;
END`)};`;
}

/**
 * Takes out all that a dump can hold, extensions that lie in pg_catalog apart; the schema public is made anew for those who could use it.
 * One lock is needed for each table, so a database of very many needs a higher max_locks_per_transaction.
 */
export function emptied(): string {
  return `SET LOCAL lock_timeout = '60s';
DO ${dollarQuoted(`
DECLARE
  each record;
  public_owner text;
  public_grants text[];
  public_comment text;
BEGIN
  SELECT n.nspowner::pg_catalog.regrole::text, pg_catalog.obj_description(n.oid, 'pg_namespace'), ARRAY(
      SELECT pg_catalog.format('GRANT %s ON SCHEMA public TO %s%s', a.privilege_type,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner)
    INTO public_owner, public_comment, public_grants FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public';
  -- They would run for what follows.
  FOR each IN SELECT e.evtname FROM pg_catalog.pg_event_trigger e WHERE ${OF_NO_EXTENSION('pg_event_trigger', 'e')} LOOP
    EXECUTE pg_catalog.format('DROP EVENT TRIGGER %I', each.evtname);
  END LOOP;
  -- Their own schemas go only with them. Others go with the schema that they are in, for which no right to the extension is needed.
  FOR each IN
    SELECT e.extname FROM pg_catalog.pg_extension e WHERE e.extnamespace <> 'pg_catalog'::pg_catalog.regnamespace AND EXISTS (
      SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e')
  LOOP
    EXECUTE pg_catalog.format('DROP EXTENSION IF EXISTS %I CASCADE', each.extname);
  END LOOP;
  FOR each IN
    SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE ${OWN_SCHEMA} AND ${OF_NO_EXTENSION('pg_namespace', 'n')}
  LOOP
    EXECUTE pg_catalog.format('DROP SCHEMA IF EXISTS %I CASCADE', each.nspname);
  END LOOP;
  -- What is in no schema and did not go with what it is made of.
  FOR each IN
    SELECT o.type, o.identity FROM (
      SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass AS classid, oid FROM pg_catalog.pg_foreign_data_wrapper
      UNION ALL SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, oid FROM pg_catalog.pg_cast WHERE oid >= 16384
      UNION ALL SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_server
      UNION ALL SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, oid FROM pg_catalog.pg_am WHERE oid >= 16384
    ) AS things, LATERAL pg_catalog.pg_identify_object(things.classid, things.oid, 0) AS o
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = things.classid AND d.objid = things.oid AND d.deptype = 'e')
  LOOP
    -- One of them may have gone with another.
    EXECUTE pg_catalog.format('DROP %s IF EXISTS %s CASCADE', pg_catalog.replace(each.type, '-', ' '), each.identity);
  END LOOP;
  PERFORM pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;
  CREATE SCHEMA public;
  IF public_owner IS NOT NULL THEN
    EXECUTE 'ALTER SCHEMA public OWNER TO ' || public_owner;
    EXECUTE pg_catalog.format('COMMENT ON SCHEMA public IS %L', public_comment);
    FOR each IN SELECT pg_catalog.unnest(public_grants) AS statement LOOP
      EXECUTE each.statement;
    END LOOP;
  END IF;
END`)};
SET LOCAL lock_timeout = 0;`;
}
