import { closeSync, openSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../src/core/errors.ts';
import type { FuzzedDecoder } from './decoder.ts';
import type { FuzzLimits, FuzzOutcome, FuzzTask } from './fuzz-thread.ts';
import { Inputs } from './inputs.ts';

/** Runs decoders in a thread of their own, which somebody else watches; see `FuzzThread`. */
const { module, limits, shared } = workerData as { module: string; limits: FuzzLimits; shared: SharedArrayBuffer };
const { DECODERS } = (await import(module)) as { DECODERS: readonly FuzzedDecoder[] };
const state = new Int32Array(shared, 0, 2);
const lastInput = new Uint8Array(shared, 8);
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
let leastMemory = Number.POSITIVE_INFINITY;

parentPort?.on('message', async (task: FuzzTask) => {
  parentPort?.postMessage(await fuzz(task));
});

async function fuzz({ decoder: name, seed, runs }: FuzzTask): Promise<FuzzOutcome> {
  const decoder = DECODERS.find((each) => each.name === name);
  if (decoder === undefined) throw new Error(`There is no decoder ${name}.`);
  const inputs = new Inputs(decoder, seed);
  let taken = 0;
  for (let number = 0; number < runs; number++) {
    const input = inputs.at(number);
    const result = await judged(decoder, input, number, inputs.isExample(number));
    if (result === 'taken') taken++;
    else if (result !== 'refused') return { finding: { number, problem: result, input: Buffer.from(input) } };
  }
  return { taken, refused: runs - taken };
}

/** @returns `taken`, `refused`, or what was wrong */
async function judged(decoder: FuzzedDecoder, input: Buffer, number: number, isExample: boolean): Promise<string> {
  lastInput.set(input);
  Atomics.store(state, 1, input.length);
  // The watcher counts from here.
  Atomics.store(state, 0, number);
  const memoryBefore = beginPeak();
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
  if (grown > limits.bytes) return `it took ${Math.round(grown / 1024 / 1024)} MiB of memory`;
  if (milliseconds > limits.milliseconds) return `it took ${Math.round(milliseconds)} ms of processor time`;
  return result;
}

function refusal(error: unknown, decoder: FuzzedDecoder, isExample: boolean): string {
  if (!(error instanceof HoldfastError))
    return `it threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  if (isExample) return `it refused what Holdfast writes: ${error.code}: ${error.message}`;
  const kinds = decoder.refuses ?? ['damaged', 'unsupported'];
  return kinds.includes(error.kind) ? 'refused' : `it refused with the kind ${error.kind}: ${error.code}`;
}

/**
 * Begins a new measurement of the most memory that the process holds; on Linux (proc(5), clear_refs). Elsewhere the most that it
 * ever held counts, so that less is noticed. @returns bytes
 */
function beginPeak(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  // What earlier inputs left behind must not hide what this one takes while that is given back.
  if (process.memoryUsage.rss() > leastMemory + limits.bytes / 2) {
    collectGarbage();
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
