import type { RetentionPlan } from '../../core/application.ts';
import { backupAnswer } from './backup-answer.ts';

export function retentionPlanAnswer(plan: RetentionPlan, dryRun: boolean) {
  return {
    keep: plan.keep.map(({ backup, reasons }) => ({ backup: backupAnswer(backup), reasons })),
    forget: plan.forget.map(backupAnswer),
    dryRun,
  };
}
