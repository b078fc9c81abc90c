/** One thing that was looked at, what was seen, and, where something is wrong, what to do. */
export interface Finding {
  check: string;
  state: 'ok' | 'warn' | 'fail';
  message: string;
  advice?: string;
}
