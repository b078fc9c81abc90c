import { giveBack } from '../src/core/given-back.ts';
import { CanaryWatch } from '../src/downloads/canary/canary-watch.ts';
import { tableContent } from '../src/downloads/content/table-contents.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import { compilePolicy } from '../src/downloads/policy/compile/compile-policy.ts';
import { POLICY_LANGUAGE } from '../src/downloads/policy/policy-language.ts';
import { readPolicy } from '../src/downloads/policy/read-policy.ts';
import { parsePredicate } from '../src/downloads/predicate/parse-predicate.ts';
import type { VariantPlan } from '../src/downloads/variant-plan.ts';
import { CUSTOMER_COLUMNS, CUSTOMER_TABLE, customerDump } from './data/customer-rows.ts';
import type { StreamJob, StreamOutcome } from './variants-streams.ts';

/*
 * A process of its own that masks one stream, which it makes on the way, so that processor time and memory are those of that alone.
 * Usage: variants-stream-process.ts JOB (a `StreamJob` as JSON); prints one `StreamOutcome` as JSON.
 */

/** Columns that hold personal data are kept here where a case masks fewer. */
const KEPT = '{ rule: keep, allow_detected: "made up" }';
let made = 0;
const job = JSON.parse(process.argv[2] ?? '{}') as StreamJob;
process.stdout.write(`${JSON.stringify(await runJob())}\n`);

async function runJob(): Promise<StreamOutcome> {
  const { dialect, bytes, threads, isWatched } = job;
  if (job.masked === 'nothing at all') return measured(generated(bytes));
  const content = await tableContent(dialect);
  // The length of a dump is not known before it has been read.
  const canary = isWatched ? new CanaryWatch(undefined) : undefined;
  const run: MaskingRun = {
    ...{ plan: await planOf(job.masked), key: new Uint8Array(32).fill(7), threads },
    ...{ signal: new AbortController().signal, counts: { tables: new Map() } },
    ...(canary && { canary }),
  };
  const outcome = await measured(content.rewrite(generated(bytes), run));
  canary?.require();
  const counts = run.counts.tables.get(CUSTOMER_TABLE[dialect]);
  if (counts === undefined || counts.rowsIn !== counts.rowsOut) throw new Error('Rows were lost.');
  return { ...outcome, rows: counts.rowsOut };
}

async function measured(stream: AsyncIterable<Uint8Array>): Promise<StreamOutcome> {
  const [began, before, mainBefore] = [performance.now(), process.cpuUsage(), process.threadCpuUsage()];
  let bytesOut = 0;
  for await (const piece of stream) {
    bytesOut += piece.length;
    // As whoever writes an answer does.
    giveBack(piece);
  }
  const { user, system } = process.cpuUsage(before);
  const main = process.threadCpuUsage(mainBefore);
  return {
    bytesIn: made,
    bytesOut,
    rows: 0,
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: (user + system) / 1e6,
    mainThreadSeconds: (main.user + main.system) / 1e6,
  };
}

function generated(bytes: number): AsyncGenerator<Uint8Array> {
  const dump = customerDump(job.dialect, bytes);
  return (async function* () {
    for (const chunk of dump) {
      made += chunk.length;
      yield chunk;
    }
  })();
}

async function planOf(masked: Readonly<Record<string, string>>): Promise<VariantPlan> {
  const rules = CUSTOMER_COLUMNS.map((column) => `${column}: ${masked[column] ?? KEPT}`).join(', ');
  const text = `version: 1\nresource: bench\nkey: env:KEY\nepoch: "1"\nvariants: { masked: { keep: full } }\ntables:\n  ${CUSTOMER_TABLE[job.dialect]}: { columns: { ${rules} } }\n`;
  const policy = readPolicy(text, { name: 'bench.yaml', parsePredicate });
  const content = await tableContent(job.dialect);
  const schema = await content.schema(onlyBeginning(), new AbortController().signal);
  const compiled = compilePolicy({
    ...{ policy, variant: 'masked', content: schema, transformers: TRANSFORMERS, language: POLICY_LANGUAGE },
  });
  if (compiled.plan === undefined) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

async function* onlyBeginning(): AsyncGenerator<Uint8Array> {
  yield* customerDump(job.dialect, 1);
}
