import { WatchingProbe } from '../../canary/watching-probe.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { KEEP, type TablePlan } from '../../variant-plan.ts';

/** Of a file, in bytes. */
const LOOKED_AT = 64 << 10;
/** Of the files of one pattern: the first ones, and some of the others. */
const FIRST_FILES = 32;
const EACH = 997;
const WHAT = 'the text of files';

/**
 * Tells the canary of addresses and long numbers in files that are kept: those of masked columns must not stand there. Other words are not told, since texts have too many that
 * are somebody's name as well.
 */
export class KeptFilesWatch {
  readonly #run: MaskingRun;
  readonly #files = new Map<string, { seen: number; probe: WatchingProbe }>();

  constructor(run: MaskingRun) {
    this.#run = run;
  }

  /** The same bytes. @param pattern that means the file */
  bytes(bytes: AsyncIterable<Uint8Array>, pattern: string): AsyncIterable<Uint8Array> {
    const { canary, plan } = this.#run;
    if (canary === undefined) return bytes;
    const files = this.#files.get(pattern) ?? {
      seen: 0,
      probe: new WatchingProbe(canary.memory, plan.detectors, { plan: keptText(pattern), columns: [WHAT] }),
    };
    this.#files.set(pattern, files);
    const isWatched = files.seen < FIRST_FILES || files.seen % EACH === 0;
    files.seen++;
    if (!isWatched) return bytes;
    return withHead(bytes, (head) => {
      files.probe.watches = true;
      for (const word of telltaleWords(head)) files.probe.output(word, 0);
      canary.told(pattern, files.probe.take());
    });
  }
}

/** A person keeps files as a whole, and knows of what detectors find in them. */
function keptText(pattern: string): TablePlan {
  const rule = { transformer: KEEP, options: {}, domain: KEEP, normalise: [] };
  const column = { column: WHAT, rule, family: 'text' as const, isNullable: false, allowsDetected: true as const };
  return { table: pattern, fate: 'rows', columns: [column] };
}

async function* withHead(bytes: AsyncIterable<Uint8Array>, look: (head: Buffer) => void): AsyncGenerator<Uint8Array> {
  const head: Buffer[] = [];
  let length = 0;
  for await (const piece of bytes) {
    if (length < LOOKED_AT) {
      head.push(Buffer.from(piece.subarray(0, LOOKED_AT - length)));
      length += head.at(-1)?.length ?? 0;
    }
    yield piece;
  }
  look(Buffer.concat(head));
}

function telltaleWords(head: Buffer): string[] {
  const words = head.toString('utf8').match(/[^\s"'<>(),;:=/{}[\]\\|]{8,200}/g) ?? [];
  return words.map((word) => word.replace(/[.!?]+$/, '')).filter((word) => /@|\d{8}/.test(word));
}
