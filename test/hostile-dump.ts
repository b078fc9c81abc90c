/** A dump of PostgreSQL in whose names, rows, bodies and comments stands what elsewhere begins statements or entries of other tables. */
export const HOSTILE = `--
-- PostgreSQL database dump
--

SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

--
-- Name: app; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA app;


--
-- Name: touched(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.touched() RETURNS trigger
    LANGUAGE plpgsql
    AS $body$
--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--
COPY public.users (id) FROM stdin;
1
\\.
BEGIN PERFORM app.inner('CREATE TABLE public.x ();'); RETURN NEW; END $body$;


--
-- Name: inner(text); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app."inner"(text) RETURNS text LANGUAGE sql AS $_$ SELECT $1 $_$;


--
-- Name: unused(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.unused() RETURNS text LANGUAGE sql AS $$ SELECT 'public.users' $$;

SET default_tablespace = '';

--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id integer NOT NULL,
    name text
);
ALTER TABLE ONLY public.users ALTER COLUMN name SET STORAGE EXTERNAL;


--
-- Name: users id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT 5;


--
-- Name: users; Type: VIEW; Schema: app; Owner: -
--

CREATE VIEW app.users AS SELECT users.id FROM public.users;


--
-- Name: or;ders; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."or;ders" (
    id integer NOT NULL,
    user_id integer
);


--
-- Name: or;ders_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public."or;ders" ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public."or;ders_id_seq"
    START WITH 1
);


--
-- Name: special; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.special (
    note text
)
INHERITS (public.users);


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.users (id, name) FROM stdin;
1	-- Name: or;ders; Type: TABLE; Schema: public; Owner: -
2	\\\\.
3	COPY public."or;ders" (id) FROM stdin;
\\.


--
-- Data for Name: or;ders; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public."or;ders" (id, user_id) FROM stdin;
1	1
2	3
\\.


--
-- Data for Name: special; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.special (id, name, note) FROM stdin;
\\.

UPDATE ONLY "public"."users" SET "name" = ('n');


--
-- Name: or;ders_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public."or;ders_id_seq"', 2, true);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: or;ders_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX "or;ders_user" ON public."or;ders" USING btree (user_id);


--
-- Name: or;ders on; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER "on" BEFORE UPDATE ON public."or;ders" FOR EACH ROW EXECUTE FUNCTION app.touched();


--
-- Name: or;ders fk; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."or;ders"
    ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES public.users(id);


--
-- Name: users own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY own ON public.users USING ((EXISTS ( SELECT 1 FROM public."or;ders" o WHERE (o.user_id = users.id))));


--
-- PostgreSQL database dump complete
--

`;
