import type { LiteralColumn } from './literal.ts';
import type { DefinedColumn } from './table-definition.ts';

export function literalColumn({ isBinary, isGenerated, family, charset }: DefinedColumn): LiteralColumn {
  return {
    isBinary,
    isGenerated,
    isNumber: family === 'integer' || family === 'numeric',
    ...(charset === 'latin1' || charset === 'ascii' ? { charset } : {}),
  };
}
