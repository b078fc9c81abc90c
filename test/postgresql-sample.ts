/** A database that has one of everything that a dump must carry. */
export const SAMPLE_ROLES = `
CREATE ROLE shop_owner LOGIN PASSWORD 'owner-password';
CREATE ROLE shop_reader;
CREATE ROLE "Odd Name";
GRANT shop_reader TO shop_owner;
`;

export const SAMPLE = `
CREATE EXTENSION pg_trgm;
CREATE EXTENSION hstore;
CREATE SCHEMA sales AUTHORIZATION shop_owner;
CREATE SCHEMA "Odd Schema";
COMMENT ON SCHEMA sales IS 'What is sold; it''s "all" here';
CREATE TYPE sales.state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN sales.positive AS numeric CHECK (VALUE > 0);
CREATE TYPE sales.point AS (x int, y int);
CREATE SEQUENCE sales.numbers START 1000 INCREMENT 7;
SELECT nextval('sales.numbers') FROM generate_series(1, 5);

CREATE TABLE sales.customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  name_upper text GENERATED ALWAYS AS (upper(name)) STORED,
  attributes hstore,
  place sales.point,
  number bigint DEFAULT nextval('sales.numbers')
);
ALTER TABLE sales.customers OWNER TO shop_owner;
INSERT INTO sales.customers (name, attributes, place)
  SELECT 'customer ' || g || E' tab\\t ü 漢 \\\\', hstore('n', g::text), ROW(g, -g)::sales.point FROM generate_series(1, 500) g;
CREATE INDEX customers_name ON sales.customers USING gin (name gin_trgm_ops);
COMMENT ON COLUMN sales.customers.name IS 'as they write it';

CREATE TABLE sales.orders (
  id serial, customer bigint NOT NULL REFERENCES sales.customers, state sales.state NOT NULL DEFAULT 'new',
  total sales.positive NOT NULL, at date NOT NULL, raw bytea, document jsonb, PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE sales.orders_2025 PARTITION OF sales.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE sales.orders_2026 PARTITION OF sales.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE sales.orders_rest PARTITION OF sales.orders DEFAULT;
INSERT INTO sales.orders (customer, total, at, raw, document)
  SELECT 1 + g % 500, g, date '2025-06-01' + g % 900, decode(md5(g::text), 'hex'), jsonb_build_object('n', g)
    FROM generate_series(1, 2000) g;

CREATE TABLE sales.secrets (id int PRIMARY KEY, owner text, what text);
INSERT INTO sales.secrets VALUES (1, 'shop_owner', 'a'), (2, 'somebody', 'b');
ALTER TABLE sales.secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sales.secrets FOR SELECT TO shop_reader USING (owner = current_user);
GRANT SELECT ON sales.secrets TO shop_reader;
GRANT USAGE ON SCHEMA sales TO shop_reader;
GRANT SELECT (id, name) ON sales.customers TO "Odd Name";

CREATE MATERIALIZED VIEW sales.totals AS SELECT state, count(*) AS n, sum(total) AS total FROM sales.orders GROUP BY state;
CREATE VIEW sales.late AS SELECT * FROM sales.orders WHERE at > '2026-06-01';
CREATE FUNCTION sales.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.what := NEW.what || '!'; RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE INSERT ON sales.secrets FOR EACH ROW EXECUTE FUNCTION sales.stamp();
CREATE TABLE "Odd Schema"."a ""quoted"".name; --" ("col umn" int, "select" text);
INSERT INTO "Odd Schema"."a ""quoted"".name; --" VALUES (1, 'x'), (2, NULL);
CREATE TABLE public.parent (a int);
CREATE TABLE public.child (b int) INHERITS (public.parent);
INSERT INTO public.parent VALUES (1);
INSERT INTO public.child VALUES (2, 3);
SELECT lo_from_bytea(0, decode(repeat('00ff17', 4000), 'hex')) FROM generate_series(1, 3);
`;
