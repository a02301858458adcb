// Bridges of networks that are no longer here, in which somebody else still is: an instance whose tap is not ours, and whose
// owner knows nothing of the bridge. They go with their last member. Named in files, so that no restart forgets one.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureDirectory, readDirectoryIfPresent, removeFile } from "../linux/atomic-file.ts";
import { hasBridgeMembers, hasDevice } from "../linux/ip.ts";

export class LeftBridges {
  readonly #directory: string;
  /** Undefined until the files were read. */
  #names: Set<string> | undefined;

  /** @param stateDir they are named by empty files in `<state>/bridges/` */
  constructor(stateDir: string) {
    this.#directory = join(stateDir, "bridges");
  }

  async add(bridge: string): Promise<void> {
    await ensureDirectory(this.#directory);
    writeFileSync(join(this.#directory, bridge), "");
    (await this.#read()).add(bridge);
  }

  /** @param remove takes the bridge away, unless somebody has joined it meanwhile; absent is success */
  async removeEmpty(remove: (bridge: string) => Promise<void>): Promise<void> {
    const names = await this.#read();
    for (const bridge of names) {
      if (hasDevice(bridge)) {
        if (hasBridgeMembers(bridge) !== false) continue;
        await remove(bridge);
        if (hasDevice(bridge)) continue;
      }
      await removeFile(join(this.#directory, bridge));
      names.delete(bridge);
    }
  }

  async #read(): Promise<Set<string>> {
    this.#names ??= new Set(
      (await readDirectoryIfPresent(this.#directory)).filter((name) => /^brq[0-9a-f-]{1,12}$/.test(name)),
    );
    return this.#names;
  }
}
