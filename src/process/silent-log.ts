import type { Logger } from '../core/ports/logger.ts';

const nothing = (): void => undefined;

/** For commands: what they have to tell, they tell by themselves. */
export const SILENT_LOG: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
