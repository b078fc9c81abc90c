import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from './checkout.js';

const SOURCES = join(packageRoot, 'src');
/** Stay packages of their own: native code, files that are served, and what `pg` only tries. */
const EXTERNAL = ['koffi', '@fastify/swagger-ui', 'pg-native'];
const OLDEST_NODE = 'node24';

/**
 * Makes one program of the sources and their packages (decision 43): `main.mjs`, an entry for each module that is started
 * or imported by its address (`new URL('./x.ts', import.meta.url)`), and chunks that these share, all in one folder.
 *
 * @param {string} folder an empty folder; all files are durable when this resolves
 * @param {string} place where the folder will lie when it is used; what it names outside of itself is found from there
 * @returns {Promise<Record<string, unknown>>} esbuild's account of what went into what ("metafile")
 * @throws Error that names the place in the sources, where these cannot be bundled
 */
export async function buildBundle(folder, place) {
  const { build, stop } = await import('esbuild');
  try {
    const { entries, texts } = readSources(place);
    const { outputFiles, metafile } = await build({
      absWorkingDir: packageRoot,
      entryPoints: { main: join(SOURCES, 'main.ts'), ...entries },
      outdir: place,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: OLDEST_NODE,
      external: EXTERNAL,
      chunkNames: '[name]-[hash]',
      // Node.js looks for a package.json to tell what a ".js" is, and finds none below node_modules.
      outExtension: { '.js': '.mjs' },
      sourcemap: 'linked',
      sourcesContent: false,
      metafile: true,
      write: false,
      logLevel: 'silent',
      plugins: [withTexts(texts)],
    });
    requireDefaultsOfCommonModules(metafile);
    await writeDurably(folder, outputFiles);
    return metafile;
  } finally {
    await stop();
  }
}

/** Modules that speak of themselves (`import.meta`) or of zod, as the bundle needs them, and the entries that they name. */
function readSources(place) {
  const entries = {};
  const texts = new Map();
  for (const path of sourceFiles()) {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('import.meta') && !source.includes(ZOD)) continue;
    // The object `z` would bring all of zod, with the messages of fifty languages; of a namespace esbuild keeps what is used.
    texts.set(path, withAddresses(path, source.replace(ZOD, "import * as z from 'zod'"), { entries, place }));
  }
  return { entries, texts };
}

const ZOD = "import { z } from 'zod'";

function sourceFiles() {
  const names = readdirSync(SOURCES, { recursive: true });
  return names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).map((name) => join(SOURCES, name));
}

/** All files of the bundle lie in one folder, so that an address is right in whichever of them the code ends up. */
function withAddresses(path, source, { entries, place }) {
  const text = source.replace(ADDRESS, (_, named) => {
    const target = resolve(dirname(path), named);
    if (!named.endsWith('.ts')) return `new URL('${relative(place, target).replaceAll(sep, '/')}', ${MODULE}.url)`;
    const name = entryName(target);
    entries[name] = target;
    return `new URL('./${name}.mjs', ${MODULE}.url)`;
  });
  const line = text.split('\n').findIndex((each) => each.includes('import.meta'));
  if (line >= 0) {
    throw new Error(
      `${relative(packageRoot, path)}:${line + 1}: the bundle knows import.meta in "new URL('./name', import.meta.url)" alone.`,
    );
  }
  return text.replaceAll(MODULE, 'import.meta');
}

const ADDRESS = /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url\s*\)/g;
/** Stands for `import.meta` where it was understood. */
const MODULE = '__understood_module__';

/** `services/files/backup-task.ts` → `services-files-backup-task` */
function entryName(path) {
  return relative(SOURCES, path).replace(/\.ts$/, '').replaceAll(sep, '-');
}

function withTexts(texts) {
  return {
    name: 'addresses',
    setup({ onLoad }) {
      const names = [...new Set([...texts.keys()].map((path) => basename(path, '.ts')))];
      const filter = new RegExp(`[\\\\/](${names.join('|')})\\.ts$`);
      onLoad({ filter }, ({ path }) => {
        const contents = texts.get(path);
        return contents === undefined ? undefined : { contents, loader: 'ts' };
      });
    },
  };
}

/** Of a CommonJS module that is imported later on esbuild gives `default` alone; Node.js gives its names too. */
function requireDefaultsOfCommonModules({ inputs }) {
  for (const [path, { imports }] of Object.entries(inputs)) {
    if (!path.startsWith('src/')) continue;
    const common = imports.find((each) => each.kind === 'dynamic-import' && inputs[each.path]?.format === 'cjs');
    if (common !== undefined && !/\{ default:/.test(readFileSync(join(packageRoot, path), 'utf8'))) {
      throw new Error(`${path}: import("${common.original}") gives nothing but { default } in the bundle.`);
    }
  }
}

/** A machine that stops must not leave a bundle of empty files behind, which no start would ever replace. */
async function writeDurably(folder, files) {
  mkdirSync(folder, { recursive: true });
  await Promise.all(
    files.map(async ({ path, text }) => {
      const file = await open(join(folder, basename(path)), 'wx', 0o644);
      try {
        await file.writeFile(REQUIRE_WANTED.test(text) ? `${REQUIRE}${text}` : text);
        await file.datasync();
      } finally {
        await file.close();
      }
    }),
  );
  syncFolder(folder);
}

/** The one chunk in which bundled CommonJS modules find `require`, for what is built into Node.js or stays outside. */
const REQUIRE_WANTED = /^var __require = /m;
const REQUIRE = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); `;

export function syncFolder(folder) {
  if (process.platform === 'win32') return;
  const opened = openSync(folder, 'r');
  fsyncSync(opened);
  closeSync(opened);
}

/** Whoever hands a bundle on hands on the packages in it, and with them their terms. */
function licences({ inputs }) {
  const folders = new Set(
    Object.keys(inputs).flatMap((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(packageRoot, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(packageRoot, folder)).find((each) => /^(licen[cs]e|copying)/i.test(each));
    const text = file === undefined ? '' : readFileSync(join(packageRoot, folder, file), 'utf8');
    return `${name} ${version} (${license})\n\n${text}`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** `node bin/bundle-build.js FOLDER`: for the package, before it is packed. */
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    process.stderr.write('Use: node bin/bundle-build.js FOLDER\n');
    process.exit(2);
  }
  rmSync(folder, { recursive: true, force: true });
  const metafile = await buildBundle(resolve(folder), resolve(folder));
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licences(metafile));
}
