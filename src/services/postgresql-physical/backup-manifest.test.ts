import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checksumText,
  formatManifest,
  parseManifest,
  type ReceivedFile,
  verifyAgainstManifest,
} from './backup-manifest.ts';
import { crc32c } from './crc32c.ts';
import { labelOfWhole, manifestOfWhole } from './synthetic-full.ts';

const checksumOf = (text: string): number => crc32c(Buffer.from(text));

function manifestOf(files: Record<string, string>, written = checksumText): Buffer {
  return formatManifest(
    {
      'PostgreSQL-Backup-Manifest-Version': 2,
      Files: Object.entries(files).map(([Path, text]) => ({
        Path,
        Size: text.length,
        'Last-Modified': '2026-01-01 00:00:00 GMT',
        'Checksum-Algorithm': 'CRC32C',
        Checksum: written(checksumOf(text)),
      })),
      'WAL-Ranges': [{ Timeline: 1, 'Start-LSN': '0/2000028', 'End-LSN': '0/2000100' }],
    },
    '18446744073709551615',
  );
}

function received(files: Record<string, string>): Map<string, ReceivedFile> {
  return new Map(
    Object.entries(files).map(([path, text]) => [path, { size: text.length, checksum: checksumOf(text) }]),
  );
}

describe('a backup manifest', () => {
  const files = { PG_VERSION: '15', 'base/5/16384': 'pages' };

  test('is held against all that came', () => {
    const manifest = parseManifest(manifestOf(files));
    verifyAgainstManifest(manifest, received({ ...files, 'pg_wal/000000010000000000000002': 'wal' }));
    const { PG_VERSION: version } = files;
    for (const [came, message] of [
      [{ PG_VERSION: version }, /base\/5\/16384 did not come/],
      [{ ...files, 'base/5/16384': 'page' }, /16384 came with 4 bytes instead of 5/],
      [{ ...files, 'base/5/16384': 'paged' }, /16384 came with other bytes/],
      [{ ...files, 'base/5/1': '' }, /base\/5\/1 is not in the backup manifest/],
    ] as const)
      assert.throws(() => verifyAgainstManifest(manifest, received({ ...came })), {
        code: 'postgresql-manifest-violated',
        message,
      });
  });

  test('of a server on a big-endian machine is understood', () => {
    const reversed = (checksum: number) => Buffer.from(checksumText(checksum), 'hex').reverse().toString('hex');
    verifyAgainstManifest(parseManifest(manifestOf(files, reversed)), received(files));
  });

  test('is refused with any byte changed', () => {
    const text = manifestOf(files);
    assert.match(text.toString(), /"System-Identifier": 18446744073709551615,/);
    for (let at = 0; at < text.length; at += 7) {
      const changed = Buffer.from(text);
      changed[at]! ^= 2;
      if (JSON.stringify(tryJson(changed)) !== JSON.stringify(tryJson(text)))
        assert.throws(() => parseManifest(changed), { code: 'postgresql-manifest-damaged' });
    }
  });

  test('of a whole made from an incremental backup names whole files', () => {
    const manifest = parseManifest(manifestOf({ backup_label: 'x', PG_VERSION: '18', 'base/5/INCREMENTAL.1': 'some' }));
    const label = labelOfWhole(Buffer.from('START\nINCREMENTAL FROM LSN: 0/1\nINCREMENTAL FROM TLI: 1\nEND\n'));
    assert.equal(label.toString(), 'START\nEND\n');
    const whole = parseManifest(manifestOfWhole(manifest, '7', new Map([['base/5/1', 8192]]), label));
    assert.deepEqual(
      whole.Files.map(({ Path, Size, Checksum }) => [Path, Size, Checksum]),
      [
        ['backup_label', 10, checksumText(checksumOf('START\nEND\n'))],
        ['PG_VERSION', 2, checksumText(checksumOf('18'))],
        ['base/5/1', 8192, undefined],
      ],
    );
  });
});

function tryJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}
