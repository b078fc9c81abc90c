import { EventEmitter } from 'node:events';
import type { Operation } from './operation.ts';

/** Tells those who watch an operation of this process at once how it goes; other processes' are polled. */
export class OperationEvents {
  readonly #emitter = new EventEmitter<Record<string, [Operation]>>();

  constructor() {
    // One listener for each open watch: many people may follow one operation.
    this.#emitter.setMaxListeners(0);
  }

  publish(operation: Operation): void {
    this.#emitter.emit(operation.id, operation);
  }

  /** @returns what ends the subscription */
  subscribe(operationId: string, listener: (operation: Operation) => void): () => void {
    this.#emitter.on(operationId, listener);
    return () => this.#emitter.off(operationId, listener);
  }
}
