import { createHmac } from 'node:crypto';
import { compileFunction } from 'node:vm';
import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { Transformer } from '../transformer.ts';
import { checksum, fileName, readFolderFile, withFolder } from './folder-file.ts';

const written = z.strictObject({
  /** A CommonJS module without imports: `module.exports = (value, { hash }) => …`. */
  module: fileName.regex(/\.c?js$/, 'must end in .js or .cjs'),
  sha256: checksum,
  /** What the module promises. */
  injective: z.boolean().default(false),
  nullable: z.boolean().default(false),
  max: z.int().min(1).optional(),
});

type JsOptions = z.infer<typeof written> & { folder: string };

/** What a module is given besides the value. */
interface ModuleTools {
  /** 64 hexadecimal digits that hang on the text, on the key of the variant and on the rule's domain. */
  hash(text: string): string;
}

/**
 * `js`: a function of the operator's own. It runs in a masking thread, which is ended where a block of rows takes too long. The module is read once, as the policy's
 * checksum means it, and can load no other; it is trusted like the rest of the service, and is no sandbox.
 */
export function jsTransformer(folder: string | undefined): Transformer<JsOptions> {
  return {
    name: 'js',
    description: 'Replaces values by a JavaScript function, from a module in the folder of transformers.',
    options: written.transform(withFolder(folder, ({ module }) => module)),
    facts: ({ injective, nullable, max }) => ({
      accepts: 'all',
      isInjective: injective,
      mayGiveNull: nullable,
      ...(max === undefined ? {} : { maxLength: max }),
      isTraceable: false,
    }),
    create: (options, { key }) => {
      const change = functionOf(options);
      const tools: ModuleTools = Object.freeze({
        hash: (text: string) => createHmac('sha256', key).update(String(text)).digest('hex'),
      });
      return (value) => {
        const result = change(value, tools);
        if (typeof result === 'string' || result === null) return result;
        throw new TypeError('The module gave neither text nor null.');
      };
    },
  };
}

function functionOf({ folder, module: name, sha256 }: JsOptions): (value: string, tools: ModuleTools) => unknown {
  const source = readFolderFile({ folder, name, sha256 }).toString();
  const module: { exports: unknown } = { exports: {} };
  try {
    compileFunction(source, ['module', 'exports', 'require'], { filename: name })(module, module.exports, refuse);
  } catch {
    throw fault(name, 'cannot be run: it must be a CommonJS module without imports');
  }
  const change = module.exports;
  if (typeof change !== 'function') throw fault(name, 'does not set module.exports to a function');
  return (value, tools) => Reflect.apply(change, undefined, [value, tools]);
}

function refuse(): never {
  throw new Error('Modules of transformers can load no others.');
}

function fault(name: string, what: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'transformer-file-invalid',
    `The file ${name} of the folder of transformers ${what}.`,
  );
}
