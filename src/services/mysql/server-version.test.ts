import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dumpedVersion, programVersion, takesAllOf } from './server-version.ts';

describe('of which server a dump is', () => {
  const mysql8 = { product: 'MySQL', version: '8.0.36' } as const;
  const mariadb = { product: 'MariaDB', version: '10.11.6' } as const;

  it('is told by the heads that mysqldump, mariadb-dump and phpMyAdmin write', () => {
    const heads = [
      [
        '-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Server version\t8.0.36-0ubuntu0.22.04.1\n',
        mysql8,
      ],
      ['-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n', mysql8],
      ['-- MySQL dump 10.13  Distrib 8.0.30, for Linux\n--\n-- Server version\t5.5.5-10.11.6-MariaDB\n', mariadb],
      ['/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for x\n', mariadb],
      ['-- MariaDB dump 10.19  Distrib 10.5.8-MariaDB, for x\n-- Server version\t10.11.6-MariaDB-0+deb12u1\n', mariadb],
      ['-- MariaDB dump 10.19  Distrib 10.5.8-MariaDB, for x\n-- Server version\t8.0.36\n', mysql8],
      ['-- phpMyAdmin SQL Dump\n-- Server version: 10.11.6-MariaDB\n', mariadb],
      ['CREATE TABLE t (a int);\n', undefined],
    ] as const;
    for (const [head, version] of heads) assert.deepEqual(dumpedVersion(head), version, head);
  });

  it('is held against what servers say of themselves', () => {
    const [debian, oracle] = [
      'mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)',
      '/usr/sbin/mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)',
    ].map(programVersion);
    assert.deepEqual(debian, { product: 'MariaDB', version: '10.11.19' });
    assert.deepEqual(oracle, { product: 'MySQL', version: '8.4.3' });
    assert.ok(takesAllOf(debian!, mariadb) && takesAllOf(oracle!, mysql8));
    assert.ok(!takesAllOf(debian!, mysql8) && !takesAllOf(oracle!, mariadb));
    assert.ok(!takesAllOf(mariadb, { product: 'MariaDB', version: '11.4.1' }));
    assert.equal(programVersion('something else'), undefined);
  });
});
