import { isKept, type VariantOverview } from '../../core/variant.ts';
import type { VariantOverviewAnswer } from './schemas/variant-schema.ts';

/** As the API tells it: fingerprints and places in repositories are nobody's business. */
export function variantOverviewAnswer({ declared, kept, blocks }: VariantOverview): VariantOverviewAnswer {
  return {
    declared: declared.map((each) => {
      const { name, kind, produce, verifiesByLoading, fault } = each;
      const told = { name, kind, produce, verifiesByLoading, isKept: isKept(each) };
      return fault === undefined ? told : { ...told, fault };
    }),
    kept: kept.map(({ id, size, checksum, createdAt, isCurrent, variant }) => {
      const { sourceId: snapshotId, name, format, database, policyHash, epoch, report } = variant;
      return {
        ...{ id, snapshotId, variant: name, format, size, checksum, createdAt, policyHash, epoch, isCurrent },
        ...(database === undefined ? {} : { database }),
        tables: [...report.tables],
      };
    }),
    blocked: blocks.map(({ snapshotId, variant, code, message, problems, createdAt }) => ({
      ...{ snapshotId, variant, code, message, createdAt },
      problems: [...problems],
    })),
  };
}
