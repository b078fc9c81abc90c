import type { Resource } from '../../../core/resource.ts';

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
