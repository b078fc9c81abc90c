import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roleNamesIn } from './role-names.ts';

test('all roles that a schema speaks of are found, quoted or not, and no others', () => {
  const sql = `
ALTER TABLE public.orders OWNER TO shop_owner;
GRANT SELECT ON TABLE public.orders TO reader WITH GRANT OPTION;
GRANT SELECT(id),UPDATE(id) ON TABLE public.orders TO "Odd "" Name";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE USAGE ON SCHEMA public FROM "revoked";
CREATE POLICY own ON public.orders FOR SELECT TO policy_one, "policy two" USING ((owner = CURRENT_USER));
ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA public GRANT SELECT ON TABLES  TO later;
CREATE TABLE public.to_do (owner text);
`;
  assert.deepEqual(
    [...roleNamesIn(sql)].sort(),
    ['Odd " Name', 'later', 'maker', 'policy two', 'policy_one', 'reader', 'revoked', 'shop_owner'].sort(),
  );
});
