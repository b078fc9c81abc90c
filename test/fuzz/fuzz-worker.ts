import { closeSync, openSync, writeSync } from 'node:fs';
import { HoldfastError } from '../../src/core/errors.ts';
import type { FuzzedDecoder } from './decoder.ts';
import type { FuzzLimits, FuzzOrder, FuzzResult } from './fuzz-process.ts';
import { Inputs } from './inputs.ts';

/** Tries one decoder on its inputs; a process of its own, which somebody else watches; see `fuzz`. */
process.on('message', async (order: FuzzOrder) => {
  process.send?.(await tried(order));
  process.disconnect?.();
});

const NUMBERS = 4;
const TOOK = 'it took ';

async function tried({ module, decoder: name, seed, runs, limits }: FuzzOrder): Promise<FuzzResult> {
  const { DECODERS } = (await import(module)) as { DECODERS: readonly FuzzedDecoder[] };
  const decoder = DECODERS.find((each) => each.name === name)!;
  const inputs = new Inputs(decoder, seed);
  let taken = 0;
  for (let number = 0; number < runs; number++) {
    const input = inputs.at(number);
    // The watcher counts from here.
    tellNumber(number);
    let result = await judged(decoder, input, inputs.isExample(number), limits);
    // The collector of garbage may have taken its time or room for all that came before.
    if (result.startsWith(TOOK)) {
      globalThis.gc?.();
      result = await judged(decoder, input, inputs.isExample(number), limits);
    }
    if (result === 'taken') taken++;
    else if (result !== 'refused') return { number, problem: result };
  }
  return { taken, refused: runs - taken };
}

function tellNumber(number: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(number);
  writeSync(NUMBERS, bytes);
}

/** @returns `taken`, `refused`, or what was wrong */
async function judged(decoder: FuzzedDecoder, input: Buffer, isExample: boolean, limits: FuzzLimits): Promise<string> {
  const memoryBefore = beginPeak(limits.bytes);
  const timeBefore = process.threadCpuUsage();
  let result: string;
  try {
    await decoder.decode(Buffer.from(input));
    result = 'taken';
  } catch (error) {
    result = refusal(error, decoder, isExample);
  }
  const { user, system } = process.threadCpuUsage(timeBefore);
  const milliseconds = (user + system) / 1000;
  const grown = process.resourceUsage().maxRSS * 1024 - memoryBefore;
  if (grown > limits.bytes) return `${TOOK}${Math.round(grown / 1024 / 1024)} MiB of memory`;
  if (milliseconds > limits.milliseconds) return `${TOOK}${Math.round(milliseconds)} ms of processor time`;
  return result;
}

function refusal(error: unknown, decoder: FuzzedDecoder, isExample: boolean): string {
  if (!(error instanceof HoldfastError))
    return `it threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  if (isExample) return `it refused what Holdfast writes: ${error.code}: ${error.message}`;
  const kinds = decoder.refuses ?? ['damaged', 'unsupported'];
  return kinds.includes(error.kind) ? 'refused' : `it refused with the kind ${error.kind}: ${error.code}`;
}

let leastMemory = Number.POSITIVE_INFINITY;

/**
 * Begins a new measurement of the most memory that the process holds; on Linux (proc(5), clear_refs). Elsewhere the most that it
 * ever held counts, so that less is noticed. @returns bytes
 */
function beginPeak(limit: number): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  // What earlier inputs left behind must not hide what this one takes while that is given back.
  if (process.memoryUsage.rss() > leastMemory + limit / 2) {
    globalThis.gc?.();
    leastMemory = Number.POSITIVE_INFINITY;
  }
  try {
    const file = openSync('/proc/self/clear_refs', 'w');
    writeSync(file, '5');
    closeSync(file);
    const memory = process.memoryUsage.rss();
    leastMemory = Math.min(leastMemory, memory);
    return memory;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
