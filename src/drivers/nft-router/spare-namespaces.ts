// Namespaces that are ready before anybody asks for them, with settings and rules and an nft inside: a router that comes takes one,
// and has to get its devices, addresses and elements only. `<state>/l3/spare/<name>` names each before it is made.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { errorText } from "../../base/errors.ts";
import { ensureDirectory, readDirectoryIfPresent, removeFile, writeFileAtomic } from "../../linux/atomic-file.ts";
import type { NamespaceRunner } from "../../linux/namespace-worker.ts";
import { isNamespace, removeStaleNamespaceFile } from "../../linux/netns.ts";
import type { NftShellPool } from "../../linux/nft-shell-pool.ts";
import { namespaceSettings } from "./inside-plan.ts";

export interface SpareNamespacesParts {
  readonly worker: NamespaceRunner;
  readonly nft: NftShellPool;
  readonly stateDir: string;
  readonly namespacePrefix: string;
  /** How many are kept ready; 0: none. */
  readonly count: number;
  /** Loads the rules that every router has. */
  readonly load: (namespace: string) => Promise<void>;
}

/** Who took one has work to do, which making the next must not hold up. */
const restMs = 250;
/** An nft that is not used for some minutes is ended. */
const refreshEveryMs = 120_000;

export class SpareNamespaces {
  readonly #parts: SpareNamespacesParts;
  readonly #ready: string[] = [];
  #filling: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Why the last one could not be made. */
  lastFailure: string | undefined;

  constructor(parts: SpareNamespacesParts) {
    this.#parts = parts;
  }

  /** Removes what an earlier process left, and makes the first ones. Resolves when they are there; never rejects. */
  start(): Promise<void> {
    return this.#fill(() => this.removeAll());
  }

  /** Resolves when nothing is being made. */
  async settled(): Promise<void> {
    if (this.#timer !== undefined) this.#fillNow();
    await this.#filling;
  }

  /** Gives one the name of a router's namespace. @returns false when none is ready, or it could not be had: then nothing has the name */
  async take(namespace: string): Promise<boolean> {
    const { worker, nft } = this.#parts;
    const spare = this.#ready.shift();
    if (spare === undefined) return false;
    this.#fillSoon();
    try {
      await nft.rename(spare, namespace);
      await worker.run(undefined, [{ kind: "renameNamespace", name: spare, to: namespace }]);
    } catch (thrown) {
      this.lastFailure = errorText(thrown);
      await nft.forget(namespace);
      // What still resists is named by its mark.
      await this.#attempt(() => this.#remove(spare));
      return false;
    }
    await this.#attempt(() => removeFile(this.#mark(spare)));
    return true;
  }

  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.lastFailure = errorText(thrown);
    }
  }

  /** All that any process has left. Throws what keeps one from going. */
  async removeAll(): Promise<void> {
    this.#ready.length = 0;
    for (const name of (await readDirectoryIfPresent(this.#directory)) ?? []) {
      if (!name.startsWith(`${this.#parts.namespacePrefix}qspare-`)) continue;
      await this.#remove(name);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    await this.removeAll();
  }

  #fillSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fillNow(), restMs).unref();
  }

  #fillNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#fill(async () => {});
  }

  #fill(before: () => Promise<void>): Promise<void> {
    this.#filling = this.#filling
      .then(before)
      .then(() => this.#makeMissing())
      .catch((thrown: unknown) => {
        this.lastFailure = errorText(thrown);
      });
    return this.#filling;
  }

  async #makeMissing(): Promise<void> {
    const { count, nft } = this.#parts;
    for (const name of this.#ready) nft.warm(name);
    while (!this.#isClosed && this.#ready.length < count) this.#ready.push(await this.#make());
    if (this.#isClosed || count === 0) return;
    this.#timer ??= setTimeout(() => this.#fillNow(), refreshEveryMs).unref();
  }

  async #make(): Promise<string> {
    const { worker, namespacePrefix, load } = this.#parts;
    const name = `${namespacePrefix}qspare-${randomBytes(6).toString("hex")}`;
    await ensureDirectory(this.#directory);
    await writeFileAtomic(this.#mark(name), "");
    await worker.run(undefined, [{ kind: "makeNamespace", name }]);
    await worker.run(name, namespaceSettings);
    await load(name);
    return name;
  }

  async #remove(name: string): Promise<void> {
    const { worker, nft } = this.#parts;
    await nft.forget(name);
    if (isNamespace(name)) await worker.run(undefined, [{ kind: "removeNamespace", name }]);
    else removeStaleNamespaceFile(name);
    await removeFile(this.#mark(name));
  }

  get #directory(): string {
    return join(this.#parts.stateDir, "l3", "spare");
  }

  #mark(name: string): string {
    return join(this.#directory, name);
  }
}
