import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { commonParent, parseFilesConfiguration } from './configuration.ts';

describe('parseFilesConfiguration', () => {
  test('fills in defaults', () => {
    assert.deepEqual(parseFilesConfiguration({ paths: ['/srv'] }), {
      paths: ['/srv'],
      exclude: [],
      excludeFiles: [],
      excludeIfPresent: [],
      oneFileSystem: false,
    });
  });

  test('spells paths in one way, names each once and keeps those inside of others', () => {
    const { paths } = parseFilesConfiguration({ paths: ['/z/', '/a/b/../c', '/a/./c', '//a', '/'] });
    assert.deepEqual(paths, ['/', '/a', '/a/c', '/z']);
  });

  for (const [configuration, field] of [
    [{}, 'paths'],
    [{ paths: [] }, 'paths'],
    [{ paths: ['relative'] }, 'paths.0'],
    [{ paths: [''] }, 'paths.0'],
    [{ paths: ['/a', 7] }, 'paths.1'],
    [{ paths: ['/a'], exclude: 'x' }, 'exclude'],
    [{ paths: ['/a'], excludeFiles: ['x'] }, 'excludeFiles.0'],
    [{ paths: ['/a'], excludeIfPresent: [''] }, 'excludeIfPresent.0'],
    [{ paths: ['/a'], oneFileSystem: 'yes' }, 'oneFileSystem'],
    [{ paths: ['/a'], unknown: 1 }, 'The configuration'],
    [undefined, 'The configuration'],
  ] as const) {
    test(`refuses ${JSON.stringify(configuration)} and names ${field}`, () => {
      assert.throws(
        () => parseFilesConfiguration(configuration),
        (error: { code?: string; message: string }) => {
          assert.equal(error.code, 'configuration-invalid');
          assert.ok(error.message.startsWith(field === 'The configuration' ? field : `\`${field}\``), error.message);
          return true;
        },
      );
    });
  }
});

describe('commonParent', () => {
  for (const [paths, expected] of [
    [['/'], ''],
    [['/srv'], ''],
    [['/srv/data'], 'srv'],
    [['/srv/data/deep'], 'srv/data'],
    [['/srv/a', '/srv/b'], 'srv'],
    [['/srv/a/x', '/srv/b/x'], 'srv'],
    [['/srv/a', '/srv/ab'], 'srv'],
    [['/srv/a/x', '/srv/ab/x'], 'srv'],
    [['/srv', '/srv/a/b'], ''],
    [['/a/b', '/c/d'], ''],
    [['/', '/home/user'], ''],
  ] as const) {
    test(`of ${paths.join(' and ')} is "${expected}"`, () => {
      assert.equal(commonParent(paths), expected);
    });
  }
});
