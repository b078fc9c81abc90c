import type { LiteralColumn } from './literal.ts';
import type { DefinedColumn } from './table-definition.ts';

export function literalColumn({ isBinary, family, charset }: DefinedColumn): LiteralColumn {
  return {
    isBinary,
    isNumber: family === 'integer' || family === 'numeric',
    ...(charset === 'latin1' || charset === 'ascii' ? { charset } : {}),
  };
}
