/** Tells people what happened. Must not throw: a lost message never fails a backup. */
export interface Notifier {
  notify(event: Notification): Promise<void>;
}

export interface Notification {
  type:
    | 'backup-completed'
    | 'backup-failed'
    | 'restore-completed'
    | 'restore-failed'
    | 'drill-completed'
    | 'drill-failed'
    | 'damage-found'
    | 'copy-failed'
    | 'log-failed'
    | 'hook-failed'
    | 'cleanup-failed'
    | 'variant-failed'
    | 'variant-leaked';
  subject: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
}
