import type { Application } from '../../../core/application.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { Resource } from '../../../core/resource.ts';

/** @returns undefined where there is none of this id */
export async function existingResource(application: Application, id: string): Promise<Resource | undefined> {
  try {
    return await application.resources.get(id);
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** What a change of the configuration leaves as it is. Type and assertions belong to the service. */
export function besideConfiguration(resource: Resource | undefined, service: string): Partial<Resource> {
  if (resource === undefined) return {};
  const { type, policyId, metadata, assertions } = resource;
  return {
    ...(policyId === undefined ? {} : { policyId }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(resource.service === service ? { type, ...(assertions === undefined ? {} : { assertions }) } : {}),
  };
}
