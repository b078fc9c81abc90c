import { choiceInvalid } from '../../../core/download-choice.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { RowFault } from '../../masking/row-fault.ts';
import { ARCHIVE_NOT_UNDERSTOOD } from '../table-content.ts';

/** What a dump holds that no policy can speak of, said within a sentence. */
export function unreadable(what: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  const message = `No variant can be made of this dump: ${what}. Make the dump with pg_dump and its usual options, of one database.`;
  return new HoldfastError('unsupported', 'variant-content-unreadable', message, { details });
}

/** A dump of which no tables can be given alone. @param why within a sentence */
export function wholeOnly(why: string): HoldfastError {
  return choiceInvalid(`Tables cannot be chosen of this copy: ${why}. Leave \`tables\` away, and ask for all of it.`);
}

/** Where rows are in an archive cannot be said for certain. @param what a sentence */
export function archiveNotUnderstood(what: string): HoldfastError {
  const message = `The rows of this archive cannot be found in it. ${what}`;
  return new HoldfastError('unsupported', ARCHIVE_NOT_UNDERSTOOD, message);
}

/** What stops a variant that is being made, in whole sentences that name tables and columns and no value. */
export function variantFailed(message: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message, { details });
}

export function otherRows(table: string): HoldfastError {
  return variantFailed(
    `Table "${table}" has another number of rows than those were selected of. Make the variant anew.`,
    { table },
  );
}

/** What is wrong with a row of a COPY or an INSERT, as what it is here. @param ordinal of the row before which all were read */
export function rowError(error: unknown, table: string, ordinal: number): unknown {
  if (!(error instanceof RowFault)) return error;
  return variantFailed(`A row of table "${table}" (after row ${ordinal}) cannot be read: ${error.what}.`, { table });
}
