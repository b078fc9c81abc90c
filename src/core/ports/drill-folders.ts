/** Private folders for what drills, and downloads of some services, restore. */
export interface DrillFolders {
  make(): Promise<DrillFolder>;
  /** Ends processes and removes folders that dead processes left behind. @returns the folders' paths */
  removeLeftovers(): Promise<readonly string[]>;
}

export interface DrillFolder {
  /** Absolute; only the user of this process may enter. */
  readonly path: string;
  /** Bytes that may still be written there. */
  freeBytes(): Promise<number>;
  /** With all that is in it; safe to call twice. */
  remove(): Promise<void>;
}
