import type { Message } from '../src/notifiers/message.ts';

/** A notification on its way. */
export const SAMPLE_MESSAGE: Message = {
  id: '7d9e4e60-0000-4000-8000-000000000000',
  type: 'backup-failed',
  at: '2026-11-22T02:30:00.000Z',
  host: 'web1',
  subject: 'shop',
  title: 'Holdfast on web1: backup failed (shop)',
  message: 'The backup of shop failed: The disk is full.',
  details: { code: 'disk-full' },
};
