import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContentSchema } from './content-schema.ts';
import { schemaBytes, storedSchema } from './stored-schema.ts';

test('a schema that was kept is the one that was read, with all that tables can have', () => {
  const schema: ContentSchema = {
    dialect: 'sqlite',
    tables: [
      {
        name: 'words',
        columns: [
          {
            ...{ name: 'a', type: 'varchar(3)', family: 'text', maxLength: 3 },
            ...{ isNullable: true, isGenerated: false, allowedValues: ['x'] },
          },
        ],
        uniqueKeys: [{ name: 'u', columns: ['a'], isPrimary: true, isExpression: false }],
        foreignKeys: [{ name: 'f', columns: ['a'], target: 't', targetColumns: ['b'] }],
        parent: 'all_words',
        isPartitioned: false,
        dropOnly: 'it is virtual',
      },
    ],
  };
  assert.deepEqual(storedSchema(Buffer.from(schemaBytes(schema))), schema);
  assert.equal(storedSchema(Buffer.from('{}')), undefined);
});
