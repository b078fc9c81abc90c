import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { contentOf } from './content-detection.ts';

const sqlOf = (text: string) => Buffer.from(text);
const POSTGRESQL = sqlOf('--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n');
const RESTRICTED = sqlOf('--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n');
const CLUSTER = sqlOf('--\n-- PostgreSQL database cluster dump\n--\n\nSET default_transaction_read_only = off;\n');
const MYSQL = sqlOf('-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n');
const MARIADB = sqlOf('/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n');
const ARCHIVE = Buffer.concat([Buffer.from('PGDMP'), Buffer.from([1, 14, 0, 4, 8, 1, 0, 0])]);
const SQLITE = Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(100)]);
const TAR = Buffer.alloc(512);
TAR.write('shop.txt', 0);
TAR.write('ustar', 257);
const OTHER = Buffer.from([1, 2, 3, 0, 5]);

describe('what the first bytes of a backup say that it is', () => {
  it('is a dump of PostgreSQL or MySQL, an archive, a database, files, or anything', () => {
    const contents = [POSTGRESQL, RESTRICTED, CLUSTER, MYSQL, MARIADB, ARCHIVE, SQLITE, TAR, OTHER].map((head) =>
      contentOf(head, 'auto'),
    );
    assert.deepEqual(contents, [
      ...['postgresql-sql', 'postgresql-sql', 'bytes', 'mysql-sql', 'mysql-sql'],
      ...['postgresql-archive', 'sqlite', 'tar', 'bytes'],
    ]);
    assert.equal(contentOf(sqlOf('CREATE TABLE t (x int); -- PostgreSQL database dump'), 'auto'), 'bytes');
    assert.equal(contentOf(sqlOf('a note -- MySQL dump'), 'auto'), 'bytes');
    assert.equal(contentOf(Buffer.alloc(0), 'auto'), 'bytes');
  });

  it('must be what the configuration says, where that says something', () => {
    assert.equal(contentOf(ARCHIVE, 'postgresql'), 'postgresql-archive');
    assert.equal(contentOf(sqlOf('CREATE TABLE t (x int);'), 'postgresql'), 'postgresql-sql');
    assert.equal(contentOf(sqlOf('CREATE TABLE t (x int);'), 'mysql'), 'mysql-sql');
    assert.equal(contentOf(POSTGRESQL, 'bytes'), 'bytes');
    const differs = { code: 'external-content-differs', kind: 'damaged' };
    assert.throws(() => contentOf(MYSQL, 'postgresql'), differs);
    assert.throws(() => contentOf(POSTGRESQL, 'mysql'), differs);
    assert.throws(() => contentOf(OTHER, 'postgresql'), differs);
    assert.throws(() => contentOf(POSTGRESQL, 'sqlite'), differs);
    assert.throws(() => contentOf(Buffer.alloc(0), 'mysql'), differs);
    assert.throws(() => contentOf(OTHER, 'files'), differs);
  });
});
