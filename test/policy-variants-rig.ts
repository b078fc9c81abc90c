import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DownloadFormat, SqlDialect } from '../src/core/download-format.ts';
import type { SourceArchive } from '../src/core/ports/service-download.ts';
import type { VariantContent, VariantMaker, VariantReport, VariantSidecars } from '../src/core/ports/variant-maker.ts';
import { createPolicyVariantMaker } from '../src/downloads/variants/policy-variant-maker.ts';

export interface MadeVariant {
  bytes: Buffer;
  sha256: string;
  report: VariantReport;
  policyHash: string;
}

/** The real maker of variants over a folder with one policy, which tests write. */
export class PolicyVariants {
  readonly folder: string;
  readonly maker: VariantMaker;
  /** In memory; by snapshot and name. */
  readonly sidecars = new Map<string, Buffer>();
  key = randomBytes(32).toString('base64');

  private constructor(folder: string) {
    this.folder = folder;
    const resolveSecret = async () => this.key;
    this.maker = createPolicyVariantMaker({ policyFolder: folder, transformerFolder: undefined, resolveSecret });
  }

  static async create(): Promise<PolicyVariants> {
    return new PolicyVariants(await mkdtemp(path.join(tmpdir(), 'holdfast-policies-')));
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  /** The policy of a resource; `text` is what comes after its head. */
  async policy(text: string, resource = 'shop'): Promise<void> {
    const head = `version: 1\nresource: ${resource}\nkey: env:KEY\nepoch: "1"\n`;
    await writeFile(path.join(this.folder, 'shop.yaml'), `${head}${text}`);
  }

  /** What a content becomes; nobody but the maker looks at it. */
  async make(content: ContentOptions, variant: string, signal = new AbortController().signal): Promise<MadeVariant> {
    const { material, policyHash } = await this.maker.plan(this.#content(content), variant, signal);
    const opened = await material(signal);
    try {
      const parts: Uint8Array[] = [];
      for await (const part of opened.material.bytes()) parts.push(part);
      const bytes = Buffer.concat(parts);
      return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), report: opened.report(), policyHash };
    } finally {
      await opened.close();
    }
  }

  #content({ bytes, format = 'sql', dialect, pieces = 1 << 16, archive }: ContentOptions): VariantContent {
    const snapshotId = createHash('sha256').update(bytes).digest('hex');
    const material = {
      ...{ format, mediaType: 'application/octet-stream', fileExtension: '.x', isReproducible: true },
      ...(dialect === undefined ? {} : { dialect }),
      acceptsRanges: false,
      ...(archive === undefined ? {} : { archive }),
    };
    return {
      ...{ resourceId: 'shop', snapshotId, format },
      ...(dialect === undefined ? {} : { dialect }),
      open: async () => ({
        material: { ...material, bytes: () => inPieces(bytes, pieces) },
        close: async () => undefined,
      }),
      sidecars: this.#sidecarsOf(snapshotId),
    };
  }

  #sidecarsOf(snapshotId: string): VariantSidecars {
    return {
      read: async (name) => {
        const kept = this.sidecars.get(`${snapshotId} ${name}`);
        return kept === undefined ? undefined : inPieces(kept, 1000);
      },
      write: async (name, bytes) => {
        const parts: Uint8Array[] = [];
        for await (const part of bytes) parts.push(part);
        this.sidecars.set(`${snapshotId} ${name}`, Buffer.concat(parts));
      },
    };
  }
}

export interface ContentOptions {
  bytes: Buffer;
  format?: DownloadFormat;
  dialect?: SqlDialect;
  /** Bytes in which the content comes. */
  pieces?: number;
  /** What the content is made of. */
  archive?: SourceArchive;
}

/** Each in memory of its own. */
export async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}
