import type { BackupMetadata } from './backup.ts';
import type { Assertion } from './drill.ts';

/**
 * What is backed up. Resources that are posted to need no `configuration`; resources that Holdfast fetches itself name a
 * service and carry what that service needs to reach them (secrets only as references such as `env:NAME` or `file:/path`).
 */
export interface Resource {
  /** Chosen by the user: 1 to 200 characters of letters, digits, `.`, `_`, `:`, `@`, `-`. */
  id: string;
  /** A label such as `postgresql` or `ecommerce-state`; free text for posted data. */
  type: string;
  /** The registered service: `document`, `stream`, `files` … */
  service: string;
  configuration: Readonly<Record<string, unknown>>;
  repositoryId: string;
  policyId?: string;
  /** Defaults that each new backup of the resource gets. */
  metadata?: Partial<BackupMetadata>;
  /** What must hold of its restored data, in the words of its service; each restore drill looks at it. */
  assertions?: readonly Assertion[];
  createdAt: string;
  updatedAt: string;
}
