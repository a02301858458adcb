// Names in DNS. On a small network they are spread over a few files by their address: dnsmasq forgets what a file of such a
// directory said when the file is replaced, so a name goes or changes without a signal, at the price of reading one bucket again.

const linesPerBucket = 64;

/**
 * Up to here. For each file that changes dnsmasq goes once through all leases × hosts, and for each name in it through all
 * names: with 4,000 ports and 400 leases 30 ms and 70 µs. On a large network a change of many ports would touch many files.
 */
const mostBucketLines = 512;

/** … so there the names stand in the base, and those that came since in a few files, of so many lines together at most. */
export const mostAddedLines = 128;
/** Spread like buckets: a further name costs the reading of some ten others, not of all. */
export const addedFileCount = 8;

export const addedName = (index: number): string => `a${index}`;
export const isAddedName = (name: string): boolean => /^a\d+$/.test(name);

const namePattern = /^b(\d+)$/;

export const bucketName = (bucket: number): string => `b${bucket}`;

/** `undefined` for a file that is not a bucket. */
export function parseBucketName(name: string): number | undefined {
  const digits = namePattern.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A power of two, so that buckets of a network that grows are seldom as full as they may be; 0 where buckets do not pay. */
export function bucketCountFor(lineCount: number): number {
  if (lineCount > mostBucketLines) return 0;
  let count = 1;
  while (count * linesPerBucket < lineCount) count *= 2;
  return count;
}

/** By the line's address (FNV-1a): a name that changes stays in its bucket. */
export function bucketOf(line: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < line.length && line.charCodeAt(at) !== 9; at += 1) {
    hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % count;
}

/** Texts of the buckets asked for; of all when nothing is said. */
export function bucketTexts(
  lines: readonly string[],
  count: number,
  wanted?: ReadonlySet<number>,
): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  for (let bucket = 0; bucket < count; bucket += 1) if (wanted?.has(bucket) !== false) texts.set(bucket, "");
  if (texts.size === 0) return texts;
  for (const line of lines) {
    const bucket = bucketOf(line, count);
    const text = texts.get(bucket);
    if (text !== undefined) texts.set(bucket, `${text}${line}\n`);
  }
  return texts;
}

/** Where the names that a running dnsmasq has read stand. */
export interface LoadedNames {
  readonly dnsLines: ReadonlySet<string>;
  /** Files that the names are spread over; 0: they are in the base, but for those that came since. */
  readonly dnsBuckets: number;
  /** Those of `dnsLines` that came since the base was written. Always empty with buckets. */
  readonly dnsAdded: ReadonlySet<string>;
}

export type NameChange =
  | { readonly kind: "buckets"; readonly buckets: ReadonlySet<number> }
  | { readonly kind: "added"; readonly lines: readonly string[] };

/** `null`: they are as desired. `undefined`: only a reload makes them so. */
export function planNames(
  desired: readonly string[],
  { dnsLines, dnsBuckets, dnsAdded }: LoadedNames,
  hasDirectory: boolean,
): NameChange | null | undefined {
  const missing = desired.filter((line) => !dnsLines.has(line));
  const isAllThere = desired.length - missing.length === dnsLines.size;
  if (isAllThere && missing.length === 0) return null;
  if (!hasDirectory) return undefined;
  const wanted = new Set(isAllThere ? [] : desired);
  const gone = isAllThere ? [] : [...dnsLines].filter((line) => !wanted.has(line));
  if (dnsBuckets > 0) {
    return { kind: "buckets", buckets: new Set([...missing, ...gone].map((line) => bucketOf(line, dnsBuckets))) };
  }
  if (gone.some((line) => !dnsAdded.has(line))) return undefined;
  const left = new Set(gone);
  const lines = [...[...dnsAdded].filter((line) => !left.has(line)), ...missing];
  return lines.length > mostAddedLines ? undefined : { kind: "added", lines };
}
