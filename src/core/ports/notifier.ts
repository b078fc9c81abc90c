/** Tells people what happened. Must not throw: a lost message never fails a backup. */
export interface Notifier {
  /** Waits for nobody who is told: work goes on behind it. */
  notify(event: Notification): Promise<void>;
  /** Takes up what an earlier process had still to tell, in the background. Never rejects. */
  start?(): Promise<void>;
  /** Gives what is still to be told a short time. Never rejects. */
  close?(): Promise<void>;
}

export interface Notification {
  type: NotificationType;
  /** What it happened to, mostly a resource or a repository. */
  subject: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
}

export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

export const NOTIFICATION_TYPES = [
  'backup-completed',
  'backup-failed',
  'restore-completed',
  'restore-failed',
  'drill-completed',
  'drill-failed',
  'damage-found',
  'copy-failed',
  'log-failed',
  'hook-failed',
  'cleanup-failed',
  'variant-failed',
  'variant-leaked',
] as const;

/** What went well, which nobody needs to be told who does not ask for it. */
export function isCompletion(type: string): boolean {
  return type.endsWith('-completed');
}
