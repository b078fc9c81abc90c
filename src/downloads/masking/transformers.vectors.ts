import type { ColumnFacts } from './transformer.ts';

/** What each transformer gives under the test's key. A change here is a change of MASKING_VERSION. */
export const VECTORS: readonly {
  name: string;
  options: Record<string, unknown>;
  column: Partial<ColumnFacts>;
  outputs: readonly (readonly [value: string, output: string | null])[];
}[] = [
  {
    name: 'null',
    options: {},
    column: {},
    outputs: [
      ['x', null],
      ['', null],
    ],
  },
  {
    name: 'default',
    options: {},
    column: {
      family: 'integer',
    },
    outputs: [['3', '0']],
  },
  {
    name: 'default',
    options: {},
    column: {
      family: 'enum',
      allowedValues: ['sad', 'happy'],
    },
    outputs: [['happy', 'sad']],
  },
  {
    name: 'const',
    options: {
      value: 'c',
    },
    column: {},
    outputs: [
      ['3', 'c'],
      ['', 'c'],
    ],
  },
  {
    name: 'hash',
    options: {},
    column: {},
    outputs: [
      ['anna@example.com', 'eaae7f369cea0b8cdf8f8d0f13b0e2db'],
      ['Grüße 😀', '8d2ef430dce0b4ba1cda57597bb8704d'],
      ['', ''],
    ],
  },
  {
    name: 'hash',
    options: {
      length: 8,
    },
    column: {},
    outputs: [['anna@example.com', 'eaae7f36']],
  },
  {
    name: 'token',
    options: {
      prefix: 'tok_',
    },
    column: {},
    outputs: [['a', 'tok_0ebnn8eqxfa6511bm0w8dkpe3m']],
  },
  {
    name: 'uuid',
    options: {},
    column: {
      family: 'uuid',
    },
    outputs: [['0b0a1f7e-0000-4000-8000-000000000001', 'd77e2c52-a637-4f43-a9ae-965850ba0110']],
  },
  {
    name: 'email',
    options: {},
    column: {},
    outputs: [
      ['Anna@Example.com', '6rc3dz01582mc1zvh1hn639gfw@example.test'],
      ['', ''],
    ],
  },
  {
    name: 'username',
    options: {},
    column: {},
    outputs: [['bob', 'user_wxx19zthyn6y5h158a7hc7hfdg']],
  },
  {
    name: 'url',
    options: {},
    column: {},
    outputs: [['http://a.example/?q=1', 'https://example.test/c2m4mahcmvdyyr7dfacg8fmxr4']],
  },
  {
    name: 'name',
    options: {},
    column: {},
    outputs: [
      ['Anna Smith', 'Aliya Sarabia'],
      ['Jürgen', 'Annabel Iaria'],
      ['', ''],
    ],
  },
  {
    name: 'first_name',
    options: {},
    column: {},
    outputs: [['Anna', 'Ponziano']],
  },
  {
    name: 'last_name',
    options: {},
    column: {},
    outputs: [['Smith', 'Friedrich']],
  },
  {
    name: 'company',
    options: {},
    column: {},
    outputs: [['ACME', 'Richards Partners']],
  },
  {
    name: 'street',
    options: {},
    column: {},
    outputs: [['Main St 1', '108 E Market Street']],
  },
  {
    name: 'city',
    options: {},
    column: {},
    outputs: [['Paris', 'Upland']],
  },
  {
    name: 'country',
    options: {},
    column: {},
    outputs: [
      ['DE', 'MQ'],
      ['deu', 'mys'],
      ['Germany', 'Cyprus'],
    ],
  },
  {
    name: 'zip',
    options: {},
    column: {},
    outputs: [
      ['12345', '79157'],
      ['SW1A 1AA', 'FW0Y 1YG'],
    ],
  },
  {
    name: 'user_agent',
    options: {},
    column: {},
    outputs: [
      [
        'curl/8',
        'Mozilla/5.0 (Linux; Android 7; SM-G998U) AppleWebKit/578.41 (KHTML, like Gecko) Chrome/117.1.14.5 Mobile Safari/576.34',
      ],
    ],
  },
  {
    name: 'phone',
    options: {},
    column: {},
    outputs: [
      ['+49 30 123456', '+49 95 905096'],
      ['0049 30 123456', '0049 95 905096'],
      ['030-123456', '598-456496'],
      ['+1 (555) 123-4567', '+1 (248) 862-1549'],
      ['12', '25'],
      ['+6', '+6'],
      ['+421', '+421'],
    ],
  },
  {
    name: 'digits',
    options: {
      keep: 2,
    },
    column: {},
    outputs: [
      ['12-34', '12-47'],
      ['0000000000', '0079320489'],
      ['', ''],
    ],
  },
  {
    name: 'digits',
    options: {},
    column: {},
    outputs: [
      ['7', '8'],
      ['1234', '0598'],
      ['12345678901234567890123456789012345678901234567890', '22908398409120410180543868837310654059157798227369'],
    ],
  },
  {
    name: 'alnum',
    options: {},
    column: {},
    outputs: [
      ['AbC-12', 'KlH-46'],
      ['Jürgen', 'Yüeiah'],
      ['李小龍', '撋蛸殄'],
      ['a😀1', 'z😀8'],
    ],
  },
  {
    name: 'card',
    options: {},
    column: {},
    outputs: [
      ['4111 1111 1111 1111', '4786 8274 6496 9714'],
      ['4111111111111112', '4786827464969715'],
      ['****1234', '****1858'],
    ],
  },
  {
    name: 'iban',
    options: {},
    column: {},
    outputs: [
      ['DE89370400440532013000', 'DE91390183889399579271'],
      ['GB82 WEST 1234 5698 7654 32', 'GB89 WFQE 3634 5810 6895 50'],
    ],
  },
  {
    name: 'national_id',
    options: {},
    column: {},
    outputs: [['078-05-1120', '463-74-1401']],
  },
  {
    name: 'national_id',
    options: {
      check: 'mod23',
    },
    column: {},
    outputs: [
      ['12345678Z', '75465299E'],
      ['12345678z', '75465299e'],
    ],
  },
  {
    name: 'national_id',
    options: {
      check: 'luhn',
    },
    column: {},
    outputs: [
      ['811228-9874', '845921-9054'],
      ['811228-9874  ', '845921-9054  '],
    ],
  },
  {
    name: 'national_id',
    options: {
      check: 'mod97',
    },
    column: {},
    outputs: [['2 55 08 14 168 025 38', '8 67 71 26 599 994 97']],
  },
  {
    name: 'ip',
    options: {},
    column: {
      family: 'inet',
    },
    outputs: [
      ['10.1.2.3', '144.107.57.26'],
      ['10.1.2.4', '144.107.57.31'],
      ['10.1.2.0/24', '144.107.57.25/24'],
      ['2001:db8::1', 'f1b3:338a:44f0:a452:7b5c:cf3a:fc6f:2c9d'],
      ['::ffff:10.0.0.1', 'd858:f738:8c61:5f1:204e:c9ef:c6ed:3b13'],
      ['fe80::1/64', '4c52:415b:e9bd:165a:961f:d174:ebaa:5e4b/64'],
      ['::', 'd858:f738:8c61:5f1:204e:5189:f43f:6fe9'],
    ],
  },
  {
    name: 'ip',
    options: {},
    column: {
      family: 'inet',
      type: 'cidr',
    },
    outputs: [['10.1.2.0/24', '144.107.57.0/24']],
  },
  {
    name: 'mac',
    options: {},
    column: {
      family: 'mac',
    },
    outputs: [
      ['08:00:2b:01:02:03', '83:c8:cb:d7:ae:5f'],
      ['0800.2B01.0203', '83C8.CBD7.AE5F'],
      ['08-00-2b-01-02-03-04-05', '39-cf-9d-08-8d-84-e5-09'],
    ],
  },
  {
    name: 'int',
    options: {
      mode: 'permute',
    },
    column: {
      family: 'integer',
    },
    outputs: [
      ['0', '0'],
      ['1', '54'],
      ['2', '47'],
      ['127', '79'],
      ['128', '134'],
      ['-1', '-125'],
      ['-128', '-50'],
      ['-129', '-237'],
      ['255', '198'],
      ['32767', '18351'],
      ['32768', '53408'],
      ['65536', '2653713'],
      ['2147483647', '1456237679'],
      ['4294967296', '1368416450938704975'],
      ['9223372036854775807', '8164621432505876646'],
      ['-9223372036854775808', '-233202539939850329'],
      ['18446744073709551615', '11524699164973757376'],
    ],
  },
  {
    name: 'int',
    options: {
      noise: 10,
    },
    column: {
      family: 'integer',
    },
    outputs: [
      ['0', '4'],
      ['5', '15'],
      ['-3', '-6'],
      ['127', '125'],
      ['2147483647', '2147483640'],
    ],
  },
  {
    name: 'int',
    options: {
      bucket: 10,
    },
    column: {
      family: 'integer',
    },
    outputs: [
      ['25', '20'],
      ['-25', '-20'],
      ['-20', '-20'],
    ],
  },
  {
    name: 'numeric',
    options: {
      noise: 10,
    },
    column: {
      family: 'numeric',
    },
    outputs: [
      ['100.00', '105.17'],
      ['99.99', '94.25'],
      ['-50', '-48'],
      ['0', '0'],
      ['1.5234e+20', '1.4838e+20'],
      ['NaN', 'NaN'],
      ['', ''],
    ],
  },
  {
    name: 'numeric',
    options: {
      noise: 50,
    },
    column: {
      family: 'numeric',
      type: 'numeric(4,2)',
    },
    outputs: [
      ['99.99', '71.28'],
      ['98.00', '74.27'],
    ],
  },
  {
    name: 'numeric',
    options: {
      round: 100,
    },
    column: {
      family: 'numeric',
    },
    outputs: [
      ['1234.56', '1200.00'],
      ['-51', '-100'],
      ['49', '0'],
      ['950', '1000'],
    ],
  },
  {
    name: 'numeric',
    options: {
      round: 100,
    },
    column: {
      family: 'numeric',
      type: 'numeric(3,0)',
    },
    outputs: [['950', '900']],
  },
  {
    name: 'numeric',
    options: {
      round: 0.5,
    },
    column: {
      family: 'numeric',
    },
    outputs: [
      ['1.26', '1.50'],
      ['1.5e+2', '150'],
      ['12e-1', '1.0'],
      ['-0.1', '0.0'],
    ],
  },
  {
    name: 'date',
    options: {
      truncate: 'year',
    },
    column: {
      family: 'date',
    },
    outputs: [
      ['2026-07-31', '2026-01-01'],
      ['2026-00-00', '2026-01-01'],
      ['2026-07-31 10:11:12', '2026-01-01 00:00:00'],
    ],
  },
  {
    name: 'date',
    options: {
      truncate: 'quarter',
    },
    column: {
      family: 'date',
    },
    outputs: [['2026-08-31', '2026-07-01']],
  },
  {
    name: 'date',
    options: {
      truncate: 'month',
    },
    column: {
      family: 'date',
    },
    outputs: [
      ['2026-01-31', '2026-01-01'],
      ['0044-03-15 BC', '0044-03-01 BC'],
      ['infinity', 'infinity'],
      ['0000-00-00', '0000-00-00'],
      ['0000-00-00 00:00:00', '0000-00-00 00:00:00'],
      ['2026-07-31 10:11:12.123+02', '2026-07-01 00:00:00.000+02'],
    ],
  },
  {
    name: 'date',
    options: {
      truncate: 'week',
    },
    column: {
      family: 'date',
    },
    outputs: [
      ['2026-11-21', '2026-11-16'],
      ['1969-12-28', '1969-12-22'],
    ],
  },
  {
    name: 'date',
    options: {
      truncate: 'hour',
    },
    column: {
      family: 'timestamp',
    },
    outputs: [
      ['2026-07-31T10:11:12Z', '2026-07-31T10:00:00Z'],
      ['2026-07-31 10:11', '2026-07-31 10:00'],
    ],
  },
  {
    name: 'date',
    options: {
      noise: {
        days: 30,
      },
    },
    column: {
      family: 'date',
    },
    outputs: [
      ['2026-01-31', '2026-01-11'],
      ['0001-01-02', '0001-01-18'],
      ['9999-12-30 10:00:00', '9999-12-11 10:00:00'],
      ['0044-03-15 BC', '0044-02-22 BC'],
    ],
  },
  {
    name: 'date',
    options: {
      noise: {
        seconds: 3600,
      },
    },
    column: {
      family: 'timestamp',
    },
    outputs: [
      ['2026-01-31 23:59:59.5+02', '2026-02-01 00:55:44.5+02'],
      ['2026-02-28 00:00:01', '2026-02-27 23:32:24'],
      ['2024-02-29 23:59', '2024-02-29 23:22'],
    ],
  },
  {
    name: 'bool',
    options: {},
    column: {
      family: 'boolean',
    },
    outputs: [
      ['t', 't'],
      ['f', 't'],
      ['1', '1'],
      ['TRUE', 'TRUE'],
    ],
  },
  {
    name: 'choice',
    options: {
      values: ['a', 'b'],
    },
    column: {},
    outputs: [
      ['x', 'b'],
      ['y', 'b'],
      ['z', 'b'],
    ],
  },
  {
    name: 'choice',
    options: {
      values: {
        b: 1,
        a: 3,
      },
    },
    column: {},
    outputs: [
      ['x', 'a'],
      ['y', 'b'],
      ['z', 'a'],
    ],
  },
  {
    name: 'enum',
    options: {},
    column: {
      family: 'enum',
      allowedValues: ['sad', 'happy'],
    },
    outputs: [
      ['happy', 'happy'],
      ['sad', 'sad'],
    ],
  },
  {
    name: 'geo',
    options: {
      jitter: 0.01,
    },
    column: {
      family: 'numeric',
    },
    outputs: [
      ['48.137154', '48.145801'],
      ['-179.999999', '-179.990391'],
      ['(1.5,2.25)', '(1.495,2.253)'],
      ['1e-05', '-0.00653'],
    ],
  },
  {
    name: 'hash',
    options: {},
    column: {
      family: 'bytes',
    },
    outputs: [
      ['\\x00ff', '\\x93e0600804fd4deecccb66fcee1c4d43'],
      ['\\x', '\\x'],
    ],
  },
  {
    name: 'hash',
    options: {
      length: 9,
    },
    column: {
      family: 'bytes',
    },
    outputs: [['\\x00ff', '\\x93e06008']],
  },
  {
    name: 'uuid',
    options: {},
    column: {
      family: 'text',
    },
    outputs: [
      ['0b0a1f7e-0000-4000-8000-000000000001', 'd77e2c52-a637-4f43-a9ae-965850ba0110'],
      ['', ''],
    ],
  },
  {
    name: 'uuid',
    options: {},
    column: {
      family: 'bytes',
    },
    outputs: [['\\x0b0a1f7e000040008000000000000001', '\\xd77e2c52a6374f43a9ae965850ba0110']],
  },
  {
    name: 'ip',
    options: {},
    column: {
      family: 'bytes',
    },
    outputs: [['\\x0a010203', '\\x906b391a']],
  },
  {
    name: 'bool',
    options: {},
    column: {
      family: 'bytes',
    },
    outputs: [['\\x01', '\\x01']],
  },
  {
    name: 'lorem',
    options: {},
    column: {},
    outputs: [
      ['Hello, this is a 😀 longer text of mine', 'accusator vulgivagus quidem conduco am'],
      ['a', 'v'],
      ['', ''],
    ],
  },
  {
    name: 'redact',
    options: {},
    column: {},
    outputs: [
      ['abc', '[redacted]'],
      ['', ''],
    ],
  },
  {
    name: 'redact',
    options: {
      fill: '*',
    },
    column: {},
    outputs: [['a😀c', '***']],
  },
  {
    name: 'bytes',
    options: {},
    column: {
      family: 'bytes',
    },
    outputs: [
      ['\\x00ff', '\\x0000'],
      ['\\x', '\\x'],
      ['', ''],
    ],
  },
  {
    name: 'template',
    options: {
      text: 'x{$token}y{{z}}',
    },
    column: {},
    outputs: [['q', 'xvwydekkarek1prs80vj3nhry4wy{z}']],
  },
];
