import assert from 'node:assert/strict';
import test from 'node:test';
import { forOlderServer } from './older-server-sql.ts';

const ROWS = `COPY public.lines (line) FROM stdin;
    LOGGED
COPY public.lines (line) FROM stdin;
CREATE SUBSCRIPTION x PUBLICATION p WITH (connect = false, run_as_owner = true);
SET transaction_timeout = 0;
\\\\.
\\.
`;
const script = (from: number, by: number, { timeout = '', logged = '', options = '' }) => `--
-- PostgreSQL database dump
--

-- Dumped from database version ${from}.4
-- Dumped by pg_dump version ${by}.1 (Debian)

BEGIN;
SET statement_timeout = 0;
${timeout}SET row_security = off;

--
-- Name: sessions_id_seq; Type: SEQUENCE
--

ALTER TABLE public.sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sessions_id_seq
${logged}    START WITH 1
);

COPY public.empty (line) FROM stdin;
\\.
${ROWS}
CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $$
    LOGGED
SET transaction_timeout = 0;
$$;
SELECT pg_catalog.lowrite(0, '\\x616263');
${' '.repeat(4200)}
${ROWS}CREATE SUBSCRIPTION "of, run_as_owner = true" CONNECTION 'a=, streaming = off' PUBLICATION p WITH (connect = false, slot_name = 'x'${options}, synchronous_commit = 'local');
COMMIT;
`;
const NEWER = {
  timeout: 'SET transaction_timeout = 0;\n',
  logged: '    LOGGED\n',
  options: ', streaming = off, run_as_owner = true',
};

async function changed(sql: string, size: number, server?: number): Promise<string> {
  const bytes = Buffer.from(sql);
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const given: Uint8Array[] = [];
  for await (const piece of forOlderServer(pieces(), server)) given.push(Buffer.from(piece));
  return Buffer.concat(given).toString();
}

test('what a server does not know is left out, in whatever pieces a script comes, and rows and functions stay as they are', async () => {
  for (const size of [1, 2, 3, 5, 7, 61, 4096, 1 << 20]) {
    const of13 = script(13, 18, NEWER);
    assert.equal(await changed(of13, size), script(13, 18, {}));
    assert.equal(await changed(of13, size, 14), script(13, 18, { options: ', streaming = off' }));
    const known15 = { options: ', streaming = off', logged: NEWER.logged };
    assert.equal(await changed(of13, size, 15), script(13, 18, known15));
    assert.equal(await changed(of13, size, 16), script(13, 18, { ...NEWER, timeout: '' }));
    assert.equal(await changed(of13, size, 17), of13);
  }
});

test('what is by tools as old as the server, and what is no dump, stays as it is', async () => {
  for (const sql of [script(18, 18, NEWER), script(14, 14, { logged: NEWER.logged }), 'SELECT 1;\n', ''])
    assert.equal(await changed(sql, 61), sql);
});
