// The files of one network below `<state>/dhcp/<network id>/`, and the note that says how far they can be believed.
import { createHash } from "node:crypto";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import {
  ensureDirectory,
  isErrno,
  readDirectoryIfPresent,
  readFileIfPresent,
  removeFile,
  writeFileAtomic,
  writeFileAtomicSync,
} from "../../linux/atomic-file.ts";
import { type DnsmasqLease, filterLeaseFile, parseLeases } from "../../linux/dnsmasq-leases.ts";
import type { DesiredFiles } from "./desired-files.ts";
import { formatLines, type LoadedFiles } from "./plan.ts";

/**
 * `running`: the base files have the hashes given, and the server has read them and everything in the small directories.
 * `changing`: somebody was between two steps; nothing is certain but that a server may run.
 */
export type NetworkState = { readonly phase: "running"; readonly baseHash: string } | { readonly phase: "changing" };

/** The device manager's file in the same directory. */
const foreignFiles: ReadonlySet<string> = new Set(["device.json"]);

const hashOf = (...texts: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}\n`).update(text);
  return hash.digest("hex");
};

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

export class NetworkFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async readState(): Promise<NetworkState | undefined> {
    const text = await readFileIfPresent(this.path("state.json"));
    if (text === undefined) return undefined;
    try {
      const state: unknown = JSON.parse(text);
      const isRunning =
        typeof state === "object" && state !== null && "baseHash" in state && typeof state.baseHash === "string";
      return isRunning ? { phase: "running", baseHash: String(state.baseHash) } : { phase: "changing" };
    } catch {
      return { phase: "changing" };
    }
  }

  async writeState(state: NetworkState): Promise<void> {
    await writeFileAtomic(this.path("state.json"), `${JSON.stringify(state)}\n`);
  }

  /** Before anything is changed that a later look could not tell from the state noted last. */
  async markChanging(): Promise<void> {
    await ensureDirectory(this.directory);
    await this.writeState({ phase: "changing" });
  }

  /** What a server that has run since before this process has read; undefined when that is not certain. */
  async readLoaded(): Promise<LoadedFiles | undefined> {
    const [state, host, dns, optsText] = await Promise.all([
      this.readState(),
      readFileIfPresent(this.path("host")),
      readFileIfPresent(this.path("addn_hosts")),
      readFileIfPresent(this.path("opts")),
    ]);
    if (state?.phase !== "running" || host === undefined || dns === undefined || optsText === undefined) return undefined;
    if (hashOf(host, dns, optsText) !== state.baseHash) return undefined;
    const [hostDelta, dnsDelta] = await Promise.all([this.#readSmallFiles("host.d"), this.#readSmallFiles("dns.d")]);
    return {
      hostLines: new Set([...linesOf(host), ...hostDelta.flatMap(linesOf)]),
      dnsLines: new Set([...linesOf(dns), ...dnsDelta.flatMap(linesOf)]),
      optsText,
      deltaCount: hostDelta.length,
      addedDnsLines: dnsDelta.flatMap(linesOf),
    };
  }

  async #readSmallFiles(directory: string): Promise<readonly string[]> {
    const names = await readdir(this.path(directory));
    const visible = names.filter((name) => !name.startsWith("."));
    return Promise.all(visible.map(async (name) => readFile(this.path(`${directory}/${name}`), "utf8")));
  }

  /** Everything anew, small files folded in. Call `markChanging` before, `writeState` when the server has read it. */
  async writeBase(desired: DesiredFiles): Promise<{ readonly loaded: LoadedFiles; readonly baseHash: string }> {
    const host = formatLines(desired.hostLines);
    const dns = formatLines(desired.dnsLines);
    const optsText = formatLines(desired.optsLines);
    await Promise.all([
      writeFileAtomic(this.path("host"), host),
      writeFileAtomic(this.path("addn_hosts"), dns),
      writeFileAtomic(this.path("opts"), optsText),
      this.#emptyDirectory("host.d"),
      this.#emptyDirectory("dns.d"),
    ]);
    const loaded = {
      hostLines: new Set(desired.hostLines),
      dnsLines: new Set(desired.dnsLines),
      optsText,
      deltaCount: 0,
      addedDnsLines: [],
    };
    return { loaded, baseHash: hashOf(host, dns, optsText) };
  }

  async #emptyDirectory(name: string): Promise<void> {
    await ensureDirectory(this.path(name));
    const entries = await readdir(this.path(name));
    await Promise.all(entries.map(async (entry) => removeFile(this.path(`${name}/${entry}`))));
  }

  /**
   * One more file of host lines, because dnsmasq never forgets what an earlier one said; one file of all the DNS lines that
   * came since the base, because of those it does forget, and each file that a reload folds in costs it as much as a reload.
   *
   * Not handed to the thread pool: these few bytes reach the page cache in some 50 µs, and each step of an asynchronous
   * write costs more than that.
   *
   * @param name of the file of host lines; must be new
   */
  addLines(name: string, hostLines: readonly string[], allAddedDnsLines: readonly string[]): void {
    if (hostLines.length > 0) writeFileAtomicSync(this.path(`host.d/${name}`), formatLines(hostLines));
    writeFileAtomicSync(this.path("dns.d/added"), formatLines(allAddedDnsLines));
  }

  async writeInterface(name: string): Promise<void> {
    await writeFileAtomic(this.path("interface"), name);
  }

  async readLeases(): Promise<readonly DnsmasqLease[]> {
    return parseLeases((await readFileIfPresent(this.path("leases"))) ?? "");
  }

  /** Only while no server runs: it holds the file open and would write its own memory over it. */
  async filterLeases(isKept: (lease: DnsmasqLease) => boolean): Promise<void> {
    const text = await readFileIfPresent(this.path("leases"));
    if (text !== undefined) await writeFileAtomic(this.path("leases"), filterLeaseFile(text, isKept));
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
    const entries = await readDirectoryIfPresent(this.directory);
    return entries.some((entry) => !foreignFiles.has(entry) && !entry.startsWith("."));
  }
}
