import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { plainIssue } from '../../core/plain-issue.ts';

type RequestPart = 'body' | 'query' | 'path' | 'headers';

/**
 * Checks a part of a request.
 * @returns the value with defaults filled in
 * @throws HoldfastError `request-invalid`, naming each field and what is expected of it
 */
export function validated<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  part: RequestPart,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error.issues, part);
  return result.data;
}

/** Lets Fastify check query, path and headers (and bodies of ordinary size) by their zod schemas. */
export const validateByZod: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (value: unknown) => {
    const part = PARTS[httpPart ?? 'body'] ?? 'body';
    if (part === 'body' && (value === undefined || value === null)) {
      const withoutBody = schema.safeParse({});
      if (withoutBody.success) return { value: withoutBody.data };
      return { error: bodyMissing() };
    }
    const result = schema.safeParse(value);
    return result.success ? { value: result.data } : { error: invalidRequest(result.error.issues, part) };
  };

export function bodyMissing(): HoldfastError {
  return new HoldfastError('invalid', 'body-missing', 'The request has no body; send a JSON object.');
}

const PARTS: Readonly<Record<string, RequestPart>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

const PART_NAMES: Readonly<Record<RequestPart, string>> = {
  body: 'field',
  query: 'query parameter',
  path: 'part of the path',
  headers: 'header',
};

interface FieldError {
  field: string;
  message: string;
}

function invalidRequest(issues: readonly z.core.$ZodIssue[], part: RequestPart): HoldfastError {
  const errors = issues.flatMap((issue) => fieldErrors(issue, part)).slice(0, 20);
  const detail = errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ');
  return new HoldfastError('invalid', 'request-invalid', `The request is not valid. ${detail}.`, {
    details: { in: part, errors },
  });
}

function fieldErrors(issue: z.core.$ZodIssue, part: RequestPart): FieldError[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: `unknown ${PART_NAMES[part]}` }));
  }
  if (issue.code === 'invalid_union' && issue.errors[0] !== undefined && issue.errors[0].length > 0) {
    return [{ field: path.join('.'), message: plainIssue(issue.errors[0].map((inner) => inner.message).join(', ')) }];
  }
  return [{ field: path.join('.'), message: plainIssue(issue.message) }];
}
