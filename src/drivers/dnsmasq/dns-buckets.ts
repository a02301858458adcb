// Names in DNS, spread over a few files by their address: dnsmasq forgets what a file of such a directory said when the file
// is replaced, so a name goes or changes without a signal, at the price of reading one bucket again.

const linesPerBucket = 64;
const namePattern = /^b(\d+)$/;

export const bucketName = (bucket: number): string => `b${bucket}`;

/** `undefined` for a file that is not a bucket. */
export function parseBucketName(name: string): number | undefined {
  const digits = namePattern.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A power of two, so that buckets of a network that grows are seldom as full as they may be. */
export function bucketCountFor(lineCount: number): number {
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
