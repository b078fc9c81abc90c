import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContentSchema } from './content-schema.ts';
import { schemaBytes, storedSchema } from './stored-schema.ts';

const SCHEMA: Required<ContentSchema> & { tables: readonly Required<ContentSchema['tables'][number]>[] } = {
  dialect: 'sqlite',
  tables: [
    {
      name: '__proto__',
      columns: [
        { name: 'id', type: 'integer', family: 'integer', isNullable: false, isGenerated: true },
        {
          ...{ name: 'mood', type: 'text', family: 'text', isNullable: true, isGenerated: false },
          ...{ maxLength: 3, allowedValues: ['\u0000', 'ok'] },
        },
      ],
      uniqueKeys: [{ name: 'key', columns: ['id'], isPrimary: true, isExpression: false }],
      foreignKeys: [{ name: 'up', columns: ['id'], target: 'other', targetColumns: ['id'] }],
      parent: 'other',
      isPartitioned: false,
      dropOnly: 'it is a virtual table',
    },
  ],
};

test('a schema that was kept is the same when it is read again', () => {
  assert.deepEqual(storedSchema(schemaBytes(SCHEMA)), SCHEMA);
});

test('what is no schema of this version is none', () => {
  const bytes = schemaBytes(SCHEMA);
  for (const other of [
    bytes.subarray(1),
    Buffer.alloc(0),
    Buffer.from('{}'),
    Buffer.from('{"dialect":"sqlite","tables":[{}]}'),
  ])
    assert.equal(storedSchema(other), undefined);
});
