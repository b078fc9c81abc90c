/** Twenty tables with references of every kind: composite, to itself, in a circle, to a unique key, from partitions, virtual and polymorphic. */
export const SHOP = `
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE organisations (id bigserial PRIMARY KEY, name text NOT NULL, owner_id bigint);
CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, phone text, country text NOT NULL REFERENCES countries,
  manager_id bigint REFERENCES users, organisation_id bigint REFERENCES organisations, born date);
ALTER TABLE organisations ADD FOREIGN KEY (owner_id) REFERENCES users;
CREATE TABLE addresses (user_id bigint REFERENCES users, number int, street text, PRIMARY KEY (user_id, number));
CREATE TABLE newsletter (id serial PRIMARY KEY, email text NOT NULL);
CREATE TABLE categories (id int PRIMARY KEY, parent_id int REFERENCES categories, title text);
CREATE TABLE suppliers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), code text NOT NULL UNIQUE, title text);
CREATE TABLE products (id serial PRIMARY KEY, category_id int NOT NULL REFERENCES categories, supplier_code text REFERENCES suppliers (code), title text);
CREATE TABLE warehouses (id int PRIMARY KEY, title text);
CREATE TABLE stock (warehouse_id int REFERENCES warehouses, product_id int REFERENCES products, pieces int, PRIMARY KEY (warehouse_id, product_id));
CREATE TABLE orders (id bigint, placed date NOT NULL, user_id bigint NOT NULL REFERENCES users, address_user bigint, address_number int,
  PRIMARY KEY (id, placed), FOREIGN KEY (address_user, address_number) REFERENCES addresses) PARTITION BY RANGE (placed);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE items (order_id bigint, order_placed date, line int, product_id int NOT NULL REFERENCES products, PRIMARY KEY (order_id, order_placed, line),
  FOREIGN KEY (order_id, order_placed) REFERENCES orders);
CREATE TABLE payments (id serial PRIMARY KEY, order_id bigint NOT NULL, order_placed date NOT NULL, iban text NOT NULL, amount numeric(10,2),
  FOREIGN KEY (order_id, order_placed) REFERENCES orders);
CREATE TABLE returns (order_id bigint, order_placed date, line int, reason text, PRIMARY KEY (order_id, order_placed, line),
  FOREIGN KEY (order_id, order_placed, line) REFERENCES items);
CREATE TABLE posts (id serial PRIMARY KEY, author_id bigint NOT NULL REFERENCES users, title text);
CREATE TABLE photos (id serial PRIMARY KEY, post_id int REFERENCES posts);
CREATE TABLE comments (id serial PRIMARY KEY, on_type text NOT NULL, on_id int NOT NULL, by_id bigint REFERENCES users, body text);
CREATE TABLE sessions (token text PRIMARY KEY, user_id bigint REFERENCES users);
CREATE TABLE settings (name text PRIMARY KEY, value jsonb);
CREATE TABLE events (id serial PRIMARY KEY, data jsonb NOT NULL);

INSERT INTO countries SELECT 'c' || g, 'Country ' || g FROM generate_series(1, 20) g;
INSERT INTO organisations (name) SELECT 'Organisation ' || g FROM generate_series(1, 60) g;
INSERT INTO users (email, name, phone, country, manager_id, organisation_id, born)
  SELECT 'person' || g || '@corp.example', 'Person Number' || g, CASE WHEN g % 3 > 0 THEN '+49 151 ' || 1000000 + g END, 'c' || 1 + g % 20,
    CASE WHEN g > 20 THEN 1 + g % 20 END, 1 + g % 60, date '1960-01-01' + g * 7 FROM generate_series(1, 2000) g;
UPDATE organisations SET owner_id = id * 3;
INSERT INTO addresses SELECT u, n, 'Street ' || u || ' No ' || n FROM generate_series(1, 2000) u, generate_series(1, 2) n;
INSERT INTO newsletter (email) SELECT 'person' || g * 5 || '@corp.example' FROM generate_series(1, 300) g;
INSERT INTO categories SELECT g, NULLIF(g / 3, 0), 'Category ' || g FROM generate_series(1, 40) g;
INSERT INTO suppliers (code, title) SELECT 'S-' || g, 'Supplier ' || g FROM generate_series(1, 50) g;
INSERT INTO products (category_id, supplier_code, title) SELECT 1 + g % 40, CASE WHEN g % 4 > 0 THEN 'S-' || 1 + g % 50 END, 'Product ' || g FROM generate_series(1, 500) g;
INSERT INTO warehouses SELECT g, 'Warehouse ' || g FROM generate_series(1, 5) g;
INSERT INTO stock SELECT w, p, p % 7 FROM generate_series(1, 5) w, generate_series(1, 500) p;
INSERT INTO orders SELECT g, date '2025-01-01' + (g % 700), 1 + g % 2000, 1 + g % 2000, 1 + g % 2 FROM generate_series(1, 6000) g;
INSERT INTO items SELECT g, date '2025-01-01' + (g % 700), n, 1 + (g * n) % 500 FROM generate_series(1, 6000) g, generate_series(1, 3) n;
INSERT INTO payments (order_id, order_placed, iban, amount) SELECT g, date '2025-01-01' + (g % 700), 'DE' || lpad((98 - (g::numeric * 1000000 + 131400) % 97)::text, 2, '0') || lpad(g::text, 18, '0'), g FROM generate_series(1, 3000) g;
INSERT INTO returns SELECT g, date '2025-01-01' + (g % 700), 2, 'broken' FROM generate_series(1, 500) g;
INSERT INTO posts (author_id, title) SELECT 1 + g % 2000, 'Post ' || g FROM generate_series(1, 800) g;
INSERT INTO photos (post_id) SELECT 1 + g % 800 FROM generate_series(1, 400) g;
INSERT INTO comments (on_type, on_id, by_id, body) SELECT CASE g % 2 WHEN 0 THEN 'Post' ELSE 'Photo' END, 1 + g % 400, 1 + g % 2000, 'Comment ' || g FROM generate_series(1, 1500) g;
INSERT INTO sessions SELECT md5(g::text), g FROM generate_series(1, 500) g;
INSERT INTO settings VALUES ('theme', '"dark"');
INSERT INTO events (data) SELECT jsonb_build_object('kind', 'seen', 'product', 1 + g % 500) FROM generate_series(1, 1000) g;
`;

/** After the head that `PolicyVariants.policy` writes. */
export const SHOP_POLICY = `
variants:
  masked: { keep: full }
  reduced:
    extends: masked
    subset:
      seed: dev
      roots:
        - { table: public.users, sample: 1% }
        - { table: public.events, limit: 20 }
      follow:
        - { from: public.users, to: public.orders, via: user_id, limit_per_parent: 2 }
        - { from: public.orders, to: public.items, via: [order_id, order_placed] }
        - { from: public.orders, to: public.payments, via: [order_id, order_placed] }
        - { from: public.users, to: public.posts, via: author_id }
        - { from: public.posts, to: public.comments, via: on_id }
      virtual_keys:
        - { from: public.comments.on_id, to: public.posts.id, when: { on_type: Post } }
        - { from: public.comments.on_id, to: public.photos.id, when: { on_type: Photo } }
        - { from: "public.events.data->>'product'", to: public.products.id }
      null_out: [public.users.manager_id]
      unconnected: { public.countries: all, public.settings: all, public.newsletter: none, "*": none }
domains:
  person.email: email
tables:
  public.countries: { columns: { code: keep, name: keep } }
  public.organisations: { columns: { id: keep, name: company, owner_id: keep } }
  public.users:
    columns:
      { id: keep, email: person.email, name: name, phone: phone, country: keep, manager_id: keep, organisation_id: keep, born: { date: { truncate: year } } }
  public.addresses: { columns: { user_id: keep, number: keep, street: street } }
  public.newsletter: { columns: { id: keep, email: person.email } }
  public.categories: { columns: { id: keep, parent_id: keep, title: keep } }
  public.suppliers: { columns: { id: keep, code: keep, title: keep } }
  public.products: { columns: { id: keep, category_id: keep, supplier_code: keep, title: keep } }
  public.warehouses: { columns: { id: keep, title: keep } }
  public.stock: { columns: { warehouse_id: keep, product_id: keep, pieces: keep } }
  public.orders: { columns: { id: keep, placed: keep, user_id: keep, address_user: keep, address_number: keep } }
  public.items: { columns: { order_id: keep, order_placed: keep, line: keep, product_id: keep } }
  public.payments: { columns: { id: keep, order_id: keep, order_placed: keep, iban: iban, amount: keep } }
  public.returns: { columns: { order_id: keep, order_placed: keep, line: keep, reason: keep } }
  public.posts: { columns: { id: keep, author_id: keep, title: keep } }
  public.photos: { columns: { id: keep, post_id: keep } }
  public.comments: { columns: { id: keep, on_type: keep, on_id: keep, by_id: keep, body: { text: { scrub: [email, phone] } } } }
  public.sessions: structure
  public.settings: { columns: { name: keep, value: keep } }
  public.events: { columns: { id: keep, data: keep } }
`;
