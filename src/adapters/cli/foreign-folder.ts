import { statSync } from 'node:fs';

/**
 * Root may write into everybody's folder, and nobody else can read what it writes there: the service of that account would fail
 * when it next restores. Other accounts get along by groups and access lists, or not at all.
 *
 * @param user number of the account that this process runs as
 * @returns a warning with what to do, where `folder` is another account's and the process is root's
 */
export function foreignFolder(folder: string, user: number | undefined): string | undefined {
  if (user !== 0) return undefined;
  const owner = statSync(folder, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === 0) return undefined;
  return `${folder} belongs to user ${owner}, who cannot read what root writes into it. Run this as that user: sudo -u '#${owner}' holdfast …; what is root's there already, "chown -R --reference=${folder} ${folder}" gives back.`;
}
