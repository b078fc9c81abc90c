/** A notification that one target has not taken yet, kept so that the end of the service does not lose it. */
export interface UndeliveredNotification {
  /** Of target and notification. */
  id: string;
  /** When it was notified, by RFC 3339. */
  createdAt: string;
  /** Its place among those of the same moment. */
  sequence: number;
  /** The name of the target in the configuration; never its address. */
  target: string;
  /** What is told. It holds no secret, as the log does not. */
  message: Readonly<Record<string, unknown>>;
}
