import type { CheckFinding } from '../../core/ports/repository-check.ts';
import { authenticationOf, isAsMade, type KeySlotObject, type StoredSlot, slotName } from '../key-slots.ts';
import type { RepositoryParts } from '../repository-parts.ts';

/**
 * `unverifiable`: made before slots were authenticated. `of-another-generation`: of a rotation that is under way or was broken off;
 * `of-another-key`: of one that met a faster one.
 */
export type SlotCondition = 'whole' | 'damaged' | 'unverifiable' | 'of-another-generation' | 'of-another-key';

/**
 * Damage to slots that this process was not opened by, which nobody else would notice before the day that such a slot is needed.
 * Goes by the open master key: no passphrase and no key file is asked for.
 */
export function checkSlots(parts: RepositoryParts, slots: readonly StoredSlot[]): CheckFinding[] {
  return slots.flatMap((slot) => findingsOf(slot, conditionOf(parts, slot)));
}

/** What can be told of a slot without opening it. */
export function conditionOf({ settings, openKeys }: RepositoryParts, slot: StoredSlot): SlotCondition {
  const { masterKey, generation, slot: opened } = openKeys();
  const authenticate = (fields: KeySlotObject): string => authenticationOf(fields, settings.repositoryId, masterKey);
  if (slot.key !== slotName(slot.id)) return 'damaged';
  if (slot.authentication === undefined) {
    // What opened the repository was whole then, so it is as long as it stays the same.
    if (slot.id === opened.id && opened.authentication === undefined)
      return authenticate(slot) === authenticate(opened) ? 'whole' : 'damaged';
    // Whoever made a slot with more fields than these authenticated it as well: the name of that field is hit.
    if (slot.unknownFields.length > 0) return 'damaged';
    return slot.generation === generation ? 'unverifiable' : 'of-another-generation';
  }
  if (slot.authentication === authenticate(slot)) return 'whole';
  if (!isAsMade(slot, settings.repositoryId)) return 'damaged';
  return slot.generation === generation ? 'of-another-key' : 'of-another-generation';
}

function findingsOf({ key, kind, label }: StoredSlot, condition: SlotCondition): CheckFinding[] {
  const id = key.slice(slotName('').length);
  const slot = `The key slot ${id} (${kind}, "${label}")`;
  const renew = `Add its ${kind === 'keyfile' ? 'key file' : kind} again with \`holdfast key add\`, then remove this slot with \`holdfast key remove ${id}\``;
  switch (condition) {
    case 'damaged': {
      const message = `${slot} is damaged: what it was made for may not open the repository any more. ${renew}.`;
      return [{ severity: 'damage', code: 'key-slot-damaged', object: key, message }];
    }
    case 'unverifiable': {
      const message = `${slot} was made by a Holdfast that left nothing to verify it by: damage to it shows only where it is used. ${renew}, or rotate the key.`;
      return [{ severity: 'warning', code: 'key-slot-unverifiable', object: key, message }];
    }
    case 'of-another-key': {
      const message = `${slot} opens another master key than this repository's: two rotations met, and the slower one left it behind. It opens nothing; remove it with \`holdfast key remove ${id}\`.`;
      return [{ severity: 'warning', code: 'key-slot-of-another-key', object: key, message }];
    }
    default:
      return [];
  }
}
