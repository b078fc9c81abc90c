import type { BackupTool } from './backup-tool.ts';

export interface CollectionPlan {
  workFolder: string;
  tools: readonly BackupTool[];
  rounds: number;
  quick: boolean;
  /** Also an index of ten million chunks. */
  large: boolean;
  log: (line: string) => void;
}
