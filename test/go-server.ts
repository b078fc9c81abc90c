import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { skipUnless } from './installed-programs.ts';

/** A server whose publisher gives sources only: `npm run provide-NAME` builds it with Go. */
export class GoServer {
  readonly name: string;
  readonly folder: string;
  readonly program: string;
  /** Holds the id of the process that builds it, perhaps in the background. */
  readonly building: string;
  /** Holds the version that was built. */
  readonly provided: string;

  constructor(name: string) {
    this.name = name;
    this.folder = fileURLToPath(new URL(`../node_modules/.cache/${name}`, import.meta.url));
    this.program = path.join(this.folder, name);
    this.building = path.join(this.folder, 'building');
    this.provided = path.join(this.folder, 'provided');
  }

  /** For `skip` of a test: false where it is there, after it was built if somebody is at it. */
  async skip(): Promise<string | false> {
    for (const until = Date.now() + 15 * 60_000; this.#isBeingBuilt() && Date.now() < until; ) await sleep(500);
    return skipUnless(existsSync(this.program), this.name, `npm run provide-${this.name}`);
  }

  #isBeingBuilt(): boolean {
    try {
      return process.kill(Number(readFileSync(this.building, 'utf8')), 0);
    } catch {
      return false;
    }
  }
}
