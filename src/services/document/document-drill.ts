import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import type { AssertionThreadData } from './assertion-worker.ts';
import { type DocumentAssertion, expected } from './document-assertions.ts';

/**
 * Puts a document together in memory, compares it with the checksum of the backup, and looks at it by the user's assertions. The
 * folder is not needed: a document is restored into the answer of a request, never to a disk.
 *
 * @param rebuild gives the canonical text, verified link by link
 */
export async function drillDocument(context: DrillContext, rebuild: () => Promise<Uint8Array>): Promise<DrillOutcome> {
  const { backup, chain, checks, report } = context;
  let document: Uint8Array = new Uint8Array();
  report({ percent: 0, phase: 'restoring' });
  await checks.make(
    {
      name: 'restored',
      kind: 'integrity',
      description: 'The document is put together from its full backup and the deltas after it',
      expected: `${chain.length} ${chain.length === 1 ? 'snapshot' : 'snapshots'} that fit together`,
    },
    async () => {
      document = await rebuild();
      context.dataReady();
      return { outcome: 'passed', found: `${document.byteLength} bytes of canonical JSON` };
    },
  );
  report({ percent: 70, phase: 'checking' });
  await checks.make(
    {
      name: 'checksum',
      kind: 'content',
      description: 'SHA-256 of the canonical document (RFC 8785) is that of the backup',
      expected: backup.checksum,
    },
    () => {
      const found = `sha256:${createHash('sha256').update(document).digest('hex')}`;
      return { outcome: found === backup.checksum ? 'passed' : 'failed', found };
    },
  );
  const restoredBytes = document.byteLength;
  // Each assertion came through the service's own schema.
  await judgeAll(context, document, context.assertions as readonly DocumentAssertion[]);
  return { restoredBytes, software: {} };
}

async function judgeAll(
  { checks, signal }: DrillContext,
  document: Uint8Array,
  assertions: readonly DocumentAssertion[],
): Promise<void> {
  if (assertions.length === 0) return;
  let thread = startThread(document);
  try {
    for (const assertion of assertions) {
      await checks.make(
        {
          name: 'assertion',
          kind: 'assertion',
          description: assertion.name ?? 'The document holds what is asserted',
          subject: assertion.jsonPath,
          expected: expected(assertion),
        },
        async () => {
          const finding = await ask(thread, assertion, signal);
          if (finding !== undefined) return finding;
          await thread.terminate();
          thread = startThread(document);
          return { outcome: 'failed', found: `no answer within ${assertion.timeoutSeconds} seconds` };
        },
      );
    }
  } finally {
    await thread.terminate();
  }
}

function startThread(document: Uint8Array): Worker {
  const workerData: AssertionThreadData = { document };
  return new Worker(new URL('./assertion-worker.ts', import.meta.url), { workerData });
}

/** @returns undefined where it takes too long */
function ask(thread: Worker, assertion: DocumentAssertion, signal: AbortSignal): Promise<DrillFinding | undefined> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => resolve(undefined)), assertion.timeoutSeconds * 1000);
    const abort = () => settle(() => reject(signal.reason));
    const fail = (error: unknown) => settle(() => reject(error));
    const take = (finding: DrillFinding) => settle(() => resolve(finding));
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      thread.off('message', take).off('error', fail);
      act();
    };
    signal.addEventListener('abort', abort, { once: true });
    thread.once('message', take).once('error', fail);
    thread.postMessage(assertion);
  });
}
