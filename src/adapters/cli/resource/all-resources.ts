import type { Application } from '../../../core/application.ts';
import type { Resource } from '../../../core/resource.ts';

const PAGE = 500;

/** Every resource, page after page. */
export async function* allResources(application: Application): AsyncIterable<Resource> {
  let cursor: string | undefined;
  do {
    const page = await application.resources.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
