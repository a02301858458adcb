// Where the dnsmasq of a network logs when the operator wants to read it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import type { NetworkId } from "../../model/ids.ts";

export class LogFiles {
  readonly #baseDirectory: string | undefined;
  readonly #log: Logger;
  readonly #failed = new Set<NetworkId>();

  constructor(baseDirectory: string | undefined, log: Logger) {
    this.#baseDirectory = baseDirectory;
    this.#log = log;
  }

  /**
   * The file for `--log-facility`; its directory is there on return. `undefined`: none is wanted, or none can be: DHCP matters
   * more than its log, so that is one error in our own log and nothing else.
   */
  ensure(id: NetworkId): string | undefined {
    if (this.#baseDirectory === undefined) return undefined;
    const directory = join(this.#baseDirectory, id);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
      this.#failed.delete(id);
      return join(directory, "dhcp_dns_log");
    } catch (err) {
      if (!this.#failed.has(id)) this.#log.error({ networkId: id, err }, "log directory of dnsmasq cannot be made");
      this.#failed.add(id);
      return undefined;
    }
  }
}
