/** Turns of processes: what one process does with a resource that no other may do at the same time. */
export interface ResourceTurns {
  /**
   * Waits until no other process has the turn of a resource, and takes it. It ends with the process at the latest. Within one process, whoever
   * asks must not have it already.
   * @param onWait called once, where another process has it
   * @returns what ends the turn
   * @throws the signal's reason, where it aborts while waiting
   */
  take(resourceId: string, signal: AbortSignal, onWait: () => void): Promise<() => void>;
}
