/** What an index of Debian's packages (`Packages`) says of one of them, as far as it matters for unpacking it. */
export interface DebianPackage {
  name: string;
  version: string;
  /** Below the archive's address. */
  file: string;
  sha256: string;
  /** Names of packages; of alternatives the first one. */
  needs: readonly string[];
}

/** @param index As Debian's archive gives it: fields of a package on lines, a blank line behind each package */
export function packagesOf(index: string): ReadonlyMap<string, DebianPackage> {
  const packages = new Map<string, DebianPackage>();
  for (const text of index.split('\n\n')) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
    const name = field('Package');
    const needs = `${field('Pre-Depends')}, ${field('Depends')}`.split(',').map((each) => /[\w.+-]+/.exec(each)?.[0]);
    packages.set(name, {
      ...{ name, version: field('Version'), file: field('Filename'), sha256: field('SHA256') },
      needs: needs.filter((each) => each !== undefined),
    });
  }
  return packages;
}

/**
 * The packages of those names and the libraries that they need, with all that these need. What is no library (perl, tools that set a package up) is not
 * needed by programs that are only unpacked.
 * @throws Error where there is no such package
 */
export function withLibraries(packages: ReadonlyMap<string, DebianPackage>, names: readonly string[]): DebianPackage[] {
  const found = new Map<string, DebianPackage>();
  const wanted = [...names];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (found.has(name)) continue;
    const known = packages.get(name);
    if (known === undefined) throw new Error(`Debian has no package ${name} there.`);
    found.set(name, known);
    wanted.push(...known.needs.filter((each) => /^(lib|zlib)/.test(each)));
  }
  return [...found.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}
