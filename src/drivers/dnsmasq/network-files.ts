// The files of one network below `<state>/dhcp/<network id>/`. Written and read without the thread pool: they are small and in
// the page cache, where each step of an asynchronous call costs more than the step itself.
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  ensureDirectory,
  isErrno,
  overwriteLinesSync,
  readDirectoryIfPresent,
  readFileIfPresentSync,
  writeFileAtomicSync,
} from "../../linux/atomic-file.ts";
import { type DnsmasqLease, parseLeases } from "../../linux/dnsmasq-leases.ts";
import type { ProcessIdentity } from "../../linux/process-table.ts";
import type { DesiredFiles } from "./desired-files.ts";
import {
  addedFileCount,
  addedName,
  bucketCountFor,
  bucketName,
  bucketOf,
  bucketTexts,
  isAddedName,
  type LoadedNames,
  type NameChange,
  parseBucketName,
} from "./dns-buckets.ts";
import type { DnsmasqFeatures } from "./dnsmasq-version.ts";
import { HostMemory } from "./host-memory.ts";
import { type NetworkState, parseNetworkState, writeNetworkState } from "./network-state.ts";
import { formatLines, type LoadedFiles } from "./plan.ts";

/** The device manager's file in the same directory. */
const foreignFiles: ReadonlySet<string> = new Set(["device.json"]);

const directoryMode = 0o755;

/** dnsmasq watches them by inotify from its start on. */
const watchedDirectories = ["host.d", "dns.d"] as const;

const hashOf = (...texts: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}\n`).update(text);
  return hash.digest("hex");
};

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** Base files as they are on disk now. */
export interface WrittenBase {
  readonly loaded: LoadedFiles;
  readonly baseHash: string;
}

export class NetworkFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string | undefined {
    return readFileIfPresentSync(this.path(name));
  }

  readState(): NetworkState | undefined {
    const text = this.read("state.json");
    return text === undefined ? undefined : parseNetworkState(text);
  }

  removePid(): void {
    rmSync(this.path("pid"), { force: true });
  }

  /** Made beside the networks' directories, for speed. */
  #write(name: string, text: string): void {
    writeFileAtomicSync(this.path(name), text, dirname(this.directory));
  }

  /**
   * Only for names: when the file is closed dnsmasq forgets all that it has read in it, and reads it again. Of host lines it
   * forgets nothing.
   */
  #overwrite(name: string, text: string): void {
    overwriteLinesSync(this.path(name), text, dirname(this.directory));
  }

  /** The server has read the base and every small file that is there. */
  markRunning(baseHash: string, { pid, startTime }: ProcessIdentity): void {
    writeNetworkState(this.path("state.json"), { phase: "running", baseHash, server: { pid, startTime } });
  }

  /**
   * Before anything is changed that a later look could not tell from the state noted last.
   *
   * @param isTagged of what the server has in memory
   */
  async markChanging(isTagged: boolean): Promise<void> {
    await this.#prepare();
    writeNetworkState(this.path("state.json"), { phase: "changing", isTagged });
  }

  /** False when somebody has removed one: a server that runs watches what is gone. */
  hasWatchedDirectories(): boolean {
    return watchedDirectories.every((name) => existsSync(this.path(name)));
  }

  async #prepare(): Promise<void> {
    await ensureDirectory(this.directory, directoryMode);
    // dnsmasq reads them as another user, whatever our own umask.
    chmodSync(this.directory, directoryMode);
    for (const name of watchedDirectories) {
      try {
        mkdirSync(this.path(name), { mode: directoryMode });
        chmodSync(this.path(name), directoryMode);
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
      }
    }
  }

  /** What a server that has run since before this process has read; undefined when that is not certain. */
  readLoaded(): LoadedFiles | undefined {
    const state = this.readState();
    const [host, dns, optsText] = [this.read("host"), this.read("addn_hosts"), this.read("opts")];
    if (state?.phase !== "running" || host === undefined || dns === undefined || optsText === undefined) return undefined;
    if (hashOf(host, dns, optsText) !== state.baseHash) return undefined;
    const hosts = new HostMemory(linesOf(host));
    // Their names sort as they were written.
    for (const name of this.#visible("host.d").toSorted()) hosts.readDelta(linesOf(this.read(`host.d/${name}`) ?? ""));
    const files = this.#visible("dns.d");
    const buckets = files.filter((name) => !isAddedName(name));
    const dnsAdded = new Set(files.filter(isAddedName).flatMap((name) => linesOf(this.read(`dns.d/${name}`) ?? "")));
    if (buckets.some((name) => (parseBucketName(name) ?? Infinity) >= buckets.length)) return undefined;
    const spread: string[] = [];
    for (const name of buckets) {
      const lines = linesOf(this.read(`dns.d/${name}`) ?? "");
      // Mixed by a writer that was killed: planned changes would look for the line in another file, and leave it.
      if (lines.some((line) => bucketName(bucketOf(line, buckets.length)) !== name)) return undefined;
      spread.push(...lines);
    }
    const dnsLines = new Set([...linesOf(dns), ...spread, ...dnsAdded]);
    return { hosts, dnsLines, dnsBuckets: buckets.length, dnsAdded, optsText };
  }

  #visible(directory: string): readonly string[] {
    return this.#entries(directory).filter((name) => !name.startsWith("."));
  }

  /** None where somebody has removed the directory; the next base makes it again. */
  #entries(directory: string): readonly string[] {
    try {
      return readdirSync(this.path(directory));
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  /** Everything anew, small files folded in. Call `markChanging` before, `markRunning` when the server has been told. */
  writeBase(desired: DesiredFiles, { hasLiveDnsDirectory }: Pick<DnsmasqFeatures, "hasLiveDnsDirectory">): WrittenBase {
    const host = formatLines(desired.hostLines);
    const optsText = formatLines(desired.optsLines);
    this.#write("host", host);
    const dnsBuckets = hasLiveDnsDirectory ? bucketCountFor(desired.dnsLines.length) : 0;
    // Names that stand in dns.d can be taken back without a signal.
    const names = dnsBuckets > 0 ? "" : formatLines(desired.dnsLines);
    this.#write("addn_hosts", names);
    this.#write("opts", optsText);
    for (const entry of this.#entries("host.d")) rmSync(this.path(`host.d/${entry}`), { force: true });
    this.#writeAllBuckets(desired.dnsLines, dnsBuckets);
    const hosts = new HostMemory(desired.hostLines);
    const loaded = { hosts, dnsLines: new Set(desired.dnsLines), dnsBuckets, dnsAdded: new Set<string>(), optsText };
    return { loaded, baseHash: hashOf(host, names, optsText) };
  }

  #writeAllBuckets(lines: readonly string[], count: number): void {
    for (const [bucket, text] of bucketTexts(lines, count)) {
      const name = `dns.d/${bucketName(bucket)}`;
      // dnsmasq reads a replaced file at once, and at the signal again.
      if (this.read(name) !== text) this.#write(name, text);
    }
    for (const entry of this.#entries("dns.d")) {
      const bucket = parseBucketName(entry);
      if (bucket === undefined || bucket >= count) rmSync(this.path(`dns.d/${entry}`), { force: true });
    }
  }

  /**
   * One more small file of hosts, because dnsmasq never forgets what an earlier one said.
   *
   * The name sorts behind those that are there, for the next agent; dnsmasq itself, told to read the directory again, goes
   * by no order, so it is never told to while there is anything in it.
   */
  addHostDelta(lines: readonly string[]): void {
    const last = this.#visible("host.d").toSorted().at(-1);
    const number = last === undefined ? 1 : Number.parseInt(last, 10) + 1;
    this.#write(`host.d/${String(number).padStart(8, "0")}`, formatLines(lines));
  }

  /** @returns what dnsmasq then has read */
  changeNames(lines: readonly string[], change: NameChange, count: number): LoadedNames {
    if (change.kind === "added") {
      for (const [index, text] of bucketTexts(change.lines, addedFileCount)) {
        const name = `dns.d/${addedName(index)}`;
        // Empty lines at the end are what longer text has left.
        if ((this.read(name) ?? "").trimEnd() !== text.trimEnd()) this.#overwrite(name, text);
      }
      return { dnsLines: new Set(lines), dnsBuckets: 0, dnsAdded: new Set(change.lines) };
    }
    for (const [bucket, text] of bucketTexts(lines, count, change.buckets)) {
      this.#overwrite(`dns.d/${bucketName(bucket)}`, text);
    }
    return { dnsLines: new Set(lines), dnsBuckets: count, dnsAdded: new Set() };
  }

  /** The device that the network is served on, for those who look at the directory; unchanged is left alone. */
  writeInterface(name: string): void {
    if (this.readInterface() !== name) this.#write("interface", name);
  }

  readInterface(): string | undefined {
    return this.read("interface")?.trim();
  }

  readLeases(): readonly DnsmasqLease[] {
    return parseLeases(this.read("leases") ?? "");
  }

  /** Whether one of the addresses may be leased; costs a fraction of reading all leases. */
  mentionsLease(addresses: readonly string[]): boolean {
    const text = this.read("leases") ?? "";
    return addresses.some((address) => text.includes(` ${address} `));
  }

  /** The server's DHCPv6 identity, in hex with colons, as the lease file tells it. */
  readServerDuid(): string | undefined {
    return /^duid ([0-9a-f:]+)$/m.exec(this.read("leases") ?? "")?.[1];
  }

  /**
   * Only while no server runs: it holds the file open and would write its own memory over it.
   *
   * @param change from the text that is there to what should be; undefined stands for no file, and then leaves all as it is
   */
  changeLeases(change: (previous: string | undefined) => string | undefined): void {
    const text = change(this.read("leases"));
    if (text !== undefined) writeFileAtomicSync(this.path("leases"), text);
  }

  /** Removes all that is the driver's; the directory itself only when nothing of others is left in it. */
  async remove(): Promise<void> {
    try {
      const entries = await readdir(this.directory);
      const own = entries.filter((entry) => !foreignFiles.has(entry) && !entry.startsWith(".device.json."));
      // The note goes last: until then somebody else can see that there was something.
      const ordered = [...own.filter((entry) => entry !== "state.json"), ...own.filter((entry) => entry === "state.json")];
      for (const entry of ordered) await rm(this.path(entry), { recursive: true, force: true });
      await rmdir(this.directory);
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ENOTEMPTY", "EEXIST")) throw error;
    }
  }

  /** The driver has something here. */
  async isPresent(): Promise<boolean> {
    // The usual case, for a tenth of the cost.
    if (existsSync(this.path("state.json"))) return true;
    const entries = await readDirectoryIfPresent(this.directory);
    return entries.some((entry) => !foreignFiles.has(entry) && !entry.startsWith("."));
  }
}
