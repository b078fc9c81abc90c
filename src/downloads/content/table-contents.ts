import { tmpdir } from 'node:os';
import { HoldfastError } from '../../core/errors.ts';
import type { ContentDialect } from './content-schema.ts';
import type { TableContent } from './table-content.ts';

/** What reads and rewrites the content of a dialect; loaded when it is first needed. */
export async function tableContent(dialect: ContentDialect): Promise<TableContent> {
  switch (dialect) {
    case 'postgresql':
      return (await import('./postgresql/postgresql-content.ts')).createPostgresqlContent();
    case 'mysql':
      return (await import('./mysql/mysql-content.ts')).createMysqlContent();
    case 'sqlite':
      return (await import('./sqlite/sqlite-content.ts')).createSqliteContent({ temporaryFolder: tmpdir() });
    default:
      throw new HoldfastError(
        'unsupported',
        'variant-content-unreadable',
        'CSV files are read as files, not as tables.',
      );
  }
}
