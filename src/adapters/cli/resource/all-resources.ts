import type { Application } from '../../../core/application.ts';
import type { Resource } from '../../../core/resource.ts';

const PAGE = 500;

export async function* allResources(application: Application): AsyncIterable<Resource> {
  for await (const page of resourcePages(application)) yield* page;
}

/** Every resource, some hundred at a time. */
export async function* resourcePages(application: Application): AsyncIterable<readonly Resource[]> {
  let cursor: string | undefined;
  do {
    const page = await application.resources.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    yield page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
