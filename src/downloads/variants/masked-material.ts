import { HoldfastError } from '../../core/errors.ts';
import type { DownloadMaterial } from '../../core/ports/service-download.ts';
import type { OpenVariantContent, VariantContent, VariantReport, WantedParts } from '../../core/ports/variant-maker.ts';
import { CanaryWatch } from '../canary/canary-watch.ts';
import { maskDocument } from '../content/document/mask-document.ts';
import { maskFiles } from '../content/files/mask-files.ts';
import type { RowPlaces } from '../content/row-places.ts';
import { tableContent } from '../content/table-contents.ts';
import type { MaskingRun } from '../masking/masking-run.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { chosenRows } from './chosen-rows.ts';
import type { ContentShape } from './content-reading.ts';
import { requireRows } from './row-gate.ts';

export interface MaskedMaterialOptions {
  content: VariantContent;
  shape: ContentShape;
  plan: VariantPlan;
  /** Of the variant, 32 bytes. */
  key: Uint8Array;
  /** Absent: all rows. */
  subset?: SubsetPlan;
  threads: number;
  temporaryFolder: string;
  signal: AbortSignal;
  /** Of the content, as its source names them; see `partOfMaterial`. */
  parts?: WantedParts;
}

/** A variant's content. It ends well only where every check found nothing: then, and not before, it has a report. */
export async function maskedMaterial(
  options: MaskedMaterialOptions,
): Promise<OpenVariantContent & { report(): VariantReport }> {
  const { content, signal, parts } = options;
  const opened = await content.open({ schemaOnly: false, signal, ...(parts === undefined ? {} : { parts }) });
  let report: VariantReport | undefined;
  const { format, dialect, mediaType, fileExtension } = opened.material;
  return {
    material: {
      ...{ format, mediaType, fileExtension },
      ...(dialect === undefined ? {} : { dialect }),
      isReproducible: true,
      acceptsRanges: false,
      async *bytes() {
        const canary = new CanaryWatch(opened.material.length);
        const { run, places } = await masking(options, canary);
        yield* withinBudget(rewritten(opened.material, { run, places }, options), options);
        requireRows(run);
        report = { tables: tablesOf(run), canary: canary.require() };
      },
    },
    close: () => opened.close(),
    report: () => {
      if (report === undefined) throw new Error('the production has not ended yet');
      return report;
    },
  };
}

interface PlacedRun {
  run: MaskingRun;
  /** Where the rows stand in the content's archive. */
  places?: RowPlaces | undefined;
}

/** For a reduced variant this reads the content's keys, which takes as long as to read all of it. */
async function masking(options: MaskedMaterialOptions, canary: CanaryWatch): Promise<PlacedRun> {
  const { content, shape, plan, subset, key, threads, signal } = options;
  const run: MaskingRun = { plan, key, threads, signal, counts: { tables: new Map() }, canary };
  if (subset === undefined || shape.kind !== 'tables') return { run };
  const { selection, places } = await chosenRows(content, { dialect: shape.dialect, plan: subset, signal });
  return { run: { ...run, selection }, places };
}

async function* rewritten(
  material: DownloadMaterial,
  { run, places }: PlacedRun,
  { content, shape, temporaryFolder, parts }: MaskedMaterialOptions,
): AsyncGenerator<Uint8Array> {
  switch (shape.kind) {
    case 'tables': {
      const { rewrite, rewriteArchive } = await tableContent(shape.dialect);
      const { archive } = material;
      if (run.selection === undefined || archive === undefined || rewriteArchive === undefined)
        yield* rewrite(material.bytes(), run);
      else yield* rewriteArchive(archive, run, places);
      break;
    }
    case 'document':
      yield* maskDocument(material.bytes(), run);
      break;
    case 'files':
      yield* maskFiles(material.bytes(), content.format, run, { temporaryFolder, isPart: parts !== undefined });
      break;
  }
}

async function* withinBudget(
  bytes: AsyncIterable<Uint8Array>,
  { plan, subset }: MaskedMaterialOptions,
): AsyncGenerator<Uint8Array> {
  const maxBytes = subset?.budget.maxBytes ?? Number.POSITIVE_INFINITY;
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > maxBytes) {
      const message = `The variant ${plan.variant} is larger than the ${maxBytes} bytes of its budget. Take smaller samples, follow fewer children, or raise max_bytes.`;
      throw new HoldfastError('too-large', 'variant-over-budget', message, { details: { maxBytes } });
    }
    yield piece;
  }
}

function tablesOf({ counts }: MaskingRun): VariantReport['tables'] {
  return [...counts.tables].map(([name, { rowsIn, rowsOut }]) => ({ name, rowsIn, rowsOut }));
}
