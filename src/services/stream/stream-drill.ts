import { createHash } from 'node:crypto';
import { z } from 'zod';
import { assertionFields, parseAssertionList } from '../../core/assertion.ts';
import type { Assertion } from '../../core/drill.ts';
import type { ChainLink } from '../../core/ports/service.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';

const schema = z
  .strictObject({
    ...assertionFields,
    /** Bytes. */
    minimumSize: z.int().min(0).optional(),
    maximumSize: z.int().min(0).optional(),
    /** Of the whole stream, in hex: for streams that should not change. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
      .optional(),
  })
  .refine(
    ({ minimumSize, maximumSize, sha256 }) =>
      minimumSize !== undefined || maximumSize !== undefined || sha256 !== undefined,
    'needs `minimumSize`, `maximumSize` or `sha256`',
  );

type StreamAssertion = z.infer<typeof schema>;

/** @throws HoldfastError `assertions-invalid` (invalid) naming the field */
export function parseStreamAssertions(assertions: readonly unknown[]): readonly Assertion[] {
  return parseAssertionList(schema, assertions);
}

/**
 * Reads a stream to its end and compares it with what was recorded when it came in. It is not kept: what it means only its owner
 * knows, and bytes on a disk would prove no more.
 *
 * @param read gives the bytes, verified to the end
 */
export async function drillStream(
  context: DrillContext,
  read: (chain: readonly ChainLink[], signal: AbortSignal) => AsyncIterable<Uint8Array>,
): Promise<DrillOutcome> {
  const { backup, chain, checks, signal, report } = context;
  let bytes = 0;
  let sha256 = '';
  await checks.make(
    {
      name: 'checksum',
      kind: 'content',
      description: 'SHA-256 of the bytes that are given back is that of the bytes that came in',
      expected: `${backup.checksum}, ${backup.size} bytes`,
    },
    async () => {
      const hash = createHash('sha256');
      for await (const piece of read(chain, signal)) {
        hash.update(piece);
        bytes += piece.byteLength;
        const percent = backup.size === 0 ? 99 : Math.min(99, Math.floor((100 * bytes) / backup.size));
        report({ percent, phase: 'restoring', doneBytes: bytes, totalBytes: backup.size });
      }
      context.dataReady();
      sha256 = hash.digest('hex');
      const found = `sha256:${sha256}, ${bytes} bytes`;
      if (backup.size === 0 && bytes === 0) return { outcome: 'not-applicable', found: 'an empty stream' };
      const isSame = `sha256:${sha256}` === backup.checksum && bytes === backup.size;
      return { outcome: isSame ? 'passed' : 'failed', found };
    },
  );
  // Each assertion came through `parseStreamAssertions`.
  for (const assertion of context.assertions as readonly StreamAssertion[])
    await checks.make(
      {
        name: 'assertion',
        kind: 'assertion',
        description: assertion.name ?? 'The stream is what is asserted',
        expected: expectedText(assertion),
      },
      () => judge(assertion, bytes, sha256),
    );
  return { restoredBytes: bytes, software: {} };
}

function expectedText({ minimumSize, maximumSize, sha256 }: StreamAssertion): string {
  return [
    ...(minimumSize === undefined ? [] : [`at least ${minimumSize} bytes`]),
    ...(maximumSize === undefined ? [] : [`at most ${maximumSize} bytes`]),
    ...(sha256 === undefined ? [] : [`sha256:${sha256}`]),
  ].join(', ');
}

function judge(assertion: StreamAssertion, bytes: number, sha256: string): DrillFinding {
  const { minimumSize = 0, maximumSize = Number.POSITIVE_INFINITY } = assertion;
  const isSized = bytes >= minimumSize && bytes <= maximumSize;
  const isSame = assertion.sha256 === undefined || assertion.sha256 === sha256;
  const found = assertion.sha256 === undefined ? `${bytes} bytes` : `${bytes} bytes, sha256:${sha256}`;
  return { outcome: isSized && isSame ? 'passed' : 'failed', found };
}
