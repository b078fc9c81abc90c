/** Units that come to one gigabyte of SQL, about. */
const USERS_IN_GIGABYTE = 130_000;
const WORDS = `'the parcel was left at the door and the customer called before delivery with an invoice ' || g % 977`;

/** A shop of twenty tables with references between them, whose dump has about so many bytes. */
export function shopDatabase(bytes: number): string {
  const users = Math.max(100, Math.round((bytes / 1e9) * USERS_IN_GIGABYTE));
  const tables = tablesOf(users);
  return [...tables, ...KEYS, 'ANALYZE'].map((statement) => `${statement};`).join('\n');
}

/** What is masked of it, in Holdfast's policy. Another epoch makes other pseudonyms of the same rows. */
export function shopPolicy(options: { resource: string; key: string; epoch: string }): string {
  const { resource, key, epoch } = options;
  const tables = Object.entries(COLUMNS).map(([table, columns]) => {
    const rules = columns.split(' ').map((column) => `${column}: ${MASKED[`${table}.${column}`] ?? 'keep'}`);
    return `  public.${table}: { columns: { ${rules.join(', ')} } }`;
  });
  const follow = FOLLOWED.map(([from, to, via]) => `        - { from: public.${from}, to: public.${to}, via: ${via} }`);
  return `version: 1
resource: ${resource}
key: ${key}
epoch: ${JSON.stringify(epoch)}
variants:
  masked: { keep: full }
  reduced:
    extends: masked
    produce: on-demand
    subset:
      seed: dev
      roots: [{ table: public.users, sample: 1% }]
      follow:
${follow.join('\n')}
      unconnected: { public.settings: all, "*": none }
tables:
${tables.join('\n')}
`;
}

/** The same four columns and one user in a hundred, for Greenmask. */
export function greenmaskConfiguration(options: {
  programs: string;
  storage: string;
  temporary: string;
  connection: string;
  isReduced: boolean;
}): string {
  const { programs, storage, temporary, connection, isReduced } = options;
  return `common:
  pg_bin_path: ${JSON.stringify(programs)}
  tmp_dir: ${JSON.stringify(temporary)}
storage:
  type: directory
  directory: { path: ${JSON.stringify(storage)} }
dump:
  pg_dump_options:
    dbname: ${JSON.stringify(connection)}
    jobs: 1
  transformation:
    - schema: public
      name: users
${isReduced ? "      subset_conds: ['public.users.id % 100 = 7']\n" : ''}      transformers:
        - { name: RandomEmail, params: { column: email, engine: hash } }
        - { name: RandomPerson, params: { columns: [{ name: name, template: "{{ .FirstName }} {{ .LastName }}" }], engine: hash } }
    - schema: public
      name: addresses
      transformers: [{ name: Hash, params: { column: street, function: sha256 } }]
    - schema: public
      name: payments
      transformers: [{ name: Hash, params: { column: iban, function: sha256 } }]
`;
}

const MASKED: Readonly<Record<string, string>> = {
  'users.email': 'email',
  'users.name': 'name',
  'addresses.street': 'hash',
  'payments.iban': 'hash',
};

const FOLLOWED: readonly (readonly [from: string, to: string, via: string])[] = [
  ['users', 'addresses', 'user_id'],
  ['users', 'orders', 'user_id'],
  ['users', 'posts', 'author_id'],
  ['users', 'events', 'user_id'],
  ['users', 'sessions', 'user_id'],
  ['orders', 'items', 'order_id'],
  ['orders', 'payments', 'order_id'],
  ['orders', 'shipments', 'order_id'],
  ['posts', 'comments', 'post_id'],
  ['posts', 'photos', 'post_id'],
];

const COLUMNS: Readonly<Record<string, string>> = {
  countries: 'code title',
  organisations: 'id title country',
  users: 'id email name country organisation_id about created',
  addresses: 'id user_id street city remark',
  categories: 'id parent_id title',
  suppliers: 'id code title',
  products: 'id category_id supplier_id title description',
  warehouses: 'id title',
  stock: 'warehouse_id product_id pieces',
  orders: 'id user_id placed state total remark',
  items: 'order_id line product_id pieces price remark',
  payments: 'id order_id iban amount paid remark',
  shipments: 'id order_id warehouse_id sent code',
  returns: 'order_id line reason',
  posts: 'id author_id title body',
  photos: 'id post_id place',
  comments: 'id post_id author_id body',
  sessions: 'id user_id began agent',
  events: 'id user_id data',
  settings: 'title value',
};

function tablesOf(users: number): string[] {
  const [orders, posts] = [users * 5, users * 3];
  const table = (name: string, columns: string, rows: number | string, values: string) => [
    `CREATE TABLE ${name} (${columns})`,
    `INSERT INTO ${name} SELECT ${values} FROM ${typeof rows === 'number' ? `generate_series(1, ${rows}) g` : rows}`,
  ];
  const time = `timestamptz '2024-01-01 00:00:00Z' + g * interval '37 seconds'`;
  const user = `1 + (g * 7919::bigint) % ${users}`;
  return [
    ...table('countries', 'code text, title text', 200, `'c' || g, 'Country ' || g`),
    ...table('organisations', 'id int, title text, country text', 2000, `g, 'Organisation ' || g, 'c' || 1 + g % 200`),
    ...table(
      'users',
      'id bigint, email text NOT NULL, name text, country text NOT NULL, organisation_id int, about text, created timestamptz',
      users,
      `g, 'person' || g || '@corp.example', 'Person Number' || g, 'c' || 1 + g % 200, 1 + g % 2000, ${WORDS}, ${time}`,
    ),
    ...table(
      'addresses',
      'id bigint, user_id bigint, street text, city text, remark text',
      users * 2,
      `g, ${user}, 'Long Street ' || g, 'City ' || g % 500, ${WORDS}`,
    ),
    ...table('categories', 'id int, parent_id int, title text', 300, `g, nullif(g / 4, 0), 'Category ' || g`),
    ...table('suppliers', 'id int, code text, title text', 1000, `g, 'S-' || g, 'Supplier ' || g`),
    ...table(
      'products',
      'id int, category_id int NOT NULL, supplier_id int, title text, description text',
      20_000,
      `g, 1 + g % 300, 1 + g % 1000, 'Product ' || g, ${WORDS}`,
    ),
    ...table('warehouses', 'id int, title text', 20, `g, 'Warehouse ' || g`),
    ...table(
      'stock',
      'warehouse_id int, product_id int, pieces int',
      'generate_series(1, 20) w, generate_series(1, 20000) g',
      'w, g, g % 7',
    ),
    ...table(
      'orders',
      'id bigint, user_id bigint NOT NULL, placed timestamptz, state text, total numeric(12,2), remark text',
      orders,
      `g, ${user}, ${time}, 'delivered', g % 9000 / 7.0, ${WORDS} || ' and nobody was at home that afternoon in ' || md5(g::text)`,
    ),
    ...table(
      'items',
      'order_id bigint, line int, product_id int NOT NULL, pieces int, price numeric(12,2), remark text',
      `generate_series(1, ${orders}) g, generate_series(1, 3) l`,
      `g, l, 1 + (g * l * 31) % 20000, 1 + g % 5, g % 900 / 3.0, ${WORDS}`,
    ),
    ...table(
      'payments',
      'id bigint, order_id bigint NOT NULL, iban text, amount numeric(12,2), paid timestamptz, remark text',
      orders,
      `g, g, 'DE00' || lpad((g % 700000)::text, 18, '0'), g % 9000 / 7.0, ${time}, ${WORDS}`,
    ),
    ...table(
      'shipments',
      'id bigint, order_id bigint NOT NULL, warehouse_id int, sent timestamptz, code text',
      orders,
      `g, g, 1 + g % 20, ${time}, 'parcel ' || g`,
    ),
    ...table(
      'returns',
      'order_id bigint, line int, reason text',
      `generate_series(1, ${orders}, 20) g`,
      `g, 2, 'it was broken'`,
    ),
    ...table(
      'posts',
      'id bigint, author_id bigint NOT NULL, title text, body text',
      posts,
      `g, ${user}, 'Post ' || g, repeat(${WORDS} || ' ', 3)`,
    ),
    ...table(
      'photos',
      'id bigint, post_id bigint, place text',
      users,
      `g, 1 + (g * 3) % ${posts}, 'photos/' || md5(g::text)`,
    ),
    ...table(
      'comments',
      'id bigint, post_id bigint NOT NULL, author_id bigint, body text',
      users * 6,
      `g, 1 + (g * 13::bigint) % ${posts}, ${user}, repeat(${WORDS} || ' ', 2)`,
    ),
    ...table(
      'sessions',
      'id bigint, user_id bigint NOT NULL, began timestamptz, agent text',
      users * 2,
      `g, ${user}, ${time}, 'a browser of version ' || g % 90`,
    ),
    ...table(
      'events',
      'id bigint, user_id bigint, data jsonb',
      users * 3,
      `g, ${user}, jsonb_build_object('kind', 'seen', 'product', g % 20000, 'words', ${WORDS})`,
    ),
    ...table('settings', 'title text, value jsonb', 50, `'setting ' || g, '"dark"'`),
  ];
}

const primary = (table: string, columns = 'id') => `ALTER TABLE ${table} ADD PRIMARY KEY (${columns})`;
const foreign = (table: string, columns: string, target: string) =>
  `ALTER TABLE ${table} ADD FOREIGN KEY (${columns}) REFERENCES ${target}`;

const KEYS: readonly string[] = [
  primary('countries', 'code'),
  ...['organisations', 'users', 'addresses', 'categories', 'suppliers', 'products', 'warehouses'].map((name) =>
    primary(name),
  ),
  primary('stock', 'warehouse_id, product_id'),
  primary('items', 'order_id, line'),
  primary('returns', 'order_id, line'),
  primary('settings', 'title'),
  ...['orders', 'payments', 'shipments', 'posts', 'photos', 'comments', 'sessions', 'events'].map((name) =>
    primary(name),
  ),
  foreign('organisations', 'country', 'countries'),
  foreign('users', 'country', 'countries'),
  foreign('users', 'organisation_id', 'organisations'),
  foreign('addresses', 'user_id', 'users'),
  foreign('categories', 'parent_id', 'categories'),
  foreign('products', 'category_id', 'categories'),
  foreign('products', 'supplier_id', 'suppliers'),
  foreign('stock', 'warehouse_id', 'warehouses'),
  foreign('stock', 'product_id', 'products'),
  foreign('orders', 'user_id', 'users'),
  foreign('items', 'order_id', 'orders'),
  foreign('items', 'product_id', 'products'),
  foreign('payments', 'order_id', 'orders'),
  foreign('shipments', 'order_id', 'orders'),
  foreign('shipments', 'warehouse_id', 'warehouses'),
  foreign('returns', 'order_id, line', 'items'),
  foreign('posts', 'author_id', 'users'),
  foreign('photos', 'post_id', 'posts'),
  foreign('comments', 'post_id', 'posts'),
  foreign('comments', 'author_id', 'users'),
  foreign('sessions', 'user_id', 'users'),
  foreign('events', 'user_id', 'users'),
];
