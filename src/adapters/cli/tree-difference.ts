import { type ByteString, type Content, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';

export interface TreeChange {
  kind: 'added' | 'removed' | 'changed';
  path: ByteString;
  /** Of changed entries: which facts differ. */
  aspects: readonly ('type' | 'content' | 'permissions' | 'owner' | 'time' | 'attributes' | 'target' | 'device')[];
}

/**
 * Compares two trees entry by entry in one pass and constant memory: both streams come in the order of `comparePaths`.
 * Contents are compared by their chunks' ids, which are equal for equal bytes within one repository.
 */
export async function* treeDifference(
  before: AsyncIterable<TreeEntry>,
  after: AsyncIterable<TreeEntry>,
): AsyncIterable<TreeChange> {
  const left = before[Symbol.asyncIterator]();
  const right = after[Symbol.asyncIterator]();
  try {
    let [old, young] = await Promise.all([next(left), next(right)]);
    while (old !== undefined || young !== undefined) {
      const order = orderOf(old, young);
      if (order === 0 && old !== undefined && young !== undefined) {
        const aspects = differingAspects(old, young);
        if (aspects.length > 0) yield { kind: 'changed', path: young.path, aspects };
      } else if (order < 0 && old !== undefined) {
        yield { kind: 'removed', path: old.path, aspects: [] };
      } else if (young !== undefined) {
        yield { kind: 'added', path: young.path, aspects: [] };
      }
      if (order <= 0) old = await next(left);
      if (order >= 0) young = await next(right);
    }
  } finally {
    await Promise.all([left.return?.(), right.return?.()]);
  }
}

/** Negative where `old` comes first, 0 where both have the same path. */
function orderOf(old: TreeEntry | undefined, young: TreeEntry | undefined): number {
  if (old === undefined) return 1;
  return young === undefined ? -1 : comparePaths(old.path, young.path);
}

async function next(entries: AsyncIterator<TreeEntry>): Promise<TreeEntry | undefined> {
  const result = await entries.next();
  return result.done ? undefined : result.value;
}

function differingAspects(old: TreeEntry, young: TreeEntry): TreeChange['aspects'] {
  if (old.type !== young.type) return ['type'];
  const aspects: TreeChange['aspects'][number][] = [];
  if (old.size !== young.size || contentKey(old.content) !== contentKey(young.content)) aspects.push('content');
  if (old.mode !== young.mode) aspects.push('permissions');
  if (old.uid !== young.uid || old.gid !== young.gid) aspects.push('owner');
  if (old.modifiedAt !== young.modifiedAt) aspects.push('time');
  if (attributesKey(old) !== attributesKey(young)) aspects.push('attributes');
  if (old.target !== young.target) aspects.push('target');
  if (old.deviceMajor !== young.deviceMajor || old.deviceMinor !== young.deviceMinor) aspects.push('device');
  return aspects;
}

/** Equal for contents that are stored alike, which contents of equal bytes are. */
function contentKey(content: Content | undefined): string {
  if (content === undefined) return '';
  if ('inline' in content) return `inline:${hex(content.inline)}`;
  const [form, parts] = 'segments' in content ? ['segments', content.segments] : ['pages', content.pages];
  return `${form}:${parts.map(({ id, length }) => `${id === null ? 'hole' : hex(id)}/${length}`).join(',')}`;
}

function attributesKey(entry: TreeEntry): string {
  return (entry.extendedAttributes ?? []).map(({ name, value }) => `${name}=${hex(value)}`).join('\0');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
