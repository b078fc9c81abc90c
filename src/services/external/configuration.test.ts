import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseExternalConfiguration } from './configuration.ts';

const LISTING = {
  source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.sql'] },
  objects: { kind: 'folder', folder: '/srv/backups' },
};
const INDEX = {
  source: { kind: 'elasticsearch', hosts: ['https://search.example:9200'], id: 'shop' },
  objects: { kind: 's3', bucket: 'backups' },
};

const refusalOf = (configuration: object): string => {
  try {
    parseExternalConfiguration(configuration);
  } catch (error) {
    return String((error as { details?: { field?: string } }).details?.field);
  }
  return 'taken';
};

describe('the configuration of external backups', () => {
  it('is the same after it was stored and read again', () => {
    for (const configuration of [
      LISTING,
      INDEX,
      { ...INDEX, source: { ...INDEX.source, shape: 'runs', fields: { url: 'url' } } },
      { source: { kind: 'restic', repository: '/srv/restic' }, passphrase: 'env:RESTIC' },
    ]) {
      const parsed = parseExternalConfiguration(configuration);
      assert.deepEqual(parseExternalConfiguration(JSON.parse(JSON.stringify(parsed))), parsed);
    }
  });

  it('waits for files of a folder to be left alone, and not for objects of a bucket', () => {
    const age = (configuration: object) => {
      const { source } = parseExternalConfiguration(configuration);
      return source.kind === 'listing' ? source.minimumAgeSeconds : undefined;
    };
    assert.equal(age(LISTING), 60);
    assert.equal(age({ ...LISTING, objects: { kind: 's3', bucket: 'backups' } }), 0);
    assert.equal(age({ ...LISTING, source: { ...LISTING.source, minimumAgeSeconds: 5 } }), 5);
  });

  it('holds no secret, and names the field that is wrong', () => {
    const login = { kind: 'approle', roleId: 'role', secretId: 'plain secret' };
    const vault = { address: 'https://vault.example', login, path: 'backups/shop' };
    assert.equal(refusalOf({ ...INDEX, passphrase: 'plain secret' }), 'passphrase');
    assert.equal(refusalOf({ ...INDEX, passphrase: { vault } }), 'passphrase.vault.login.secretId');
    assert.equal(
      refusalOf({ ...INDEX, objects: { kind: 's3', bucket: 'b', secretAccessKey: 'plain' } }),
      'objects.secretAccessKey',
    );
    assert.equal(
      refusalOf({ ...INDEX, source: { ...INDEX.source, hosts: ['https://user:pass@host'] } }),
      'source.hosts.0',
    );
    assert.equal(refusalOf({ ...INDEX, source: { ...INDEX.source, fields: { url: 'a..b' } } }), 'source.fields.url');
    assert.equal(refusalOf({ ...LISTING, source: { kind: 'listing', patterns: ['{yyyy}'] } }), 'source.patterns.0');
    assert.equal(refusalOf({ ...LISTING, objects: { kind: 'folder', folder: 'relative' } }), 'objects.folder');
    assert.equal(refusalOf({ source: LISTING.source }), 'objects');
    const restic = { source: { kind: 'restic', repository: '/srv/restic' } };
    assert.equal(refusalOf(restic), 'passphrase');
    assert.equal(refusalOf({ ...restic, passphrase: 'env:RESTIC', encryption: 'gpg' }), 'encryption');
    assert.equal(refusalOf({ ...restic, passphrase: 'env:RESTIC', privateKey: 'env:KEY' }), 'privateKey');
  });
});
