// Where the dnsmasq of a network logs when the operator wants to read it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import type { NetworkId } from "../../model/ids.ts";

/**
 * The file for `--log-facility`; its directory is there on return. `undefined`: none is wanted, or none can be: DHCP matters more
 * than its log, so that is an error in our log and nothing else.
 */
export function ensureLogFile(baseDirectory: string | undefined, id: NetworkId, log: Logger): string | undefined {
  if (baseDirectory === undefined) return undefined;
  const directory = join(baseDirectory, id);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return join(directory, "dhcp_dns_log");
  } catch (err) {
    log.error({ networkId: id, err }, "log directory of dnsmasq cannot be made");
    return undefined;
  }
}
