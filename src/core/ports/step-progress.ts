/** How far a long piece of work is. */
export interface StepProgress {
  phase: string;
  done: number;
  total: number;
  doneBytes?: number;
  totalBytes?: number;
}
