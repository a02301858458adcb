// Where the lease bus of a state directory is, and what a network's dnsmasq is called on it.
import { join } from "node:path";
import { isUuid, type NetworkId, networkId } from "../model/ids.ts";

/** All names on the bus begin with this. */
export const busNamespace = "netloom.lease";

export const busSocketPath = (stateDir: string): string => join(stateDir, "dhcp", "lease_bus");
export const busConfigPath = (stateDir: string): string => join(stateDir, "dhcp", "lease_bus.conf");
export const busPidPath = (stateDir: string): string => join(stateDir, "dhcp", "lease_bus.pid");

/**
 * The address of a socket as D-Bus writes it: all but a few letters as %xx.
 *
 * @see https://dbus.freedesktop.org/doc/dbus-specification.html#addresses
 */
export function busAddress(socketPath: string): string {
  const escaped = [...Buffer.from(socketPath)].map((byte) => {
    const letter = String.fromCharCode(byte);
    return /[-0-9A-Za-z_/.*]/.test(letter) ? letter : `%${byte.toString(16).padStart(2, "0")}`;
  });
  return `unix:path=${escaped.join("")}`;
}

/** dnsmasq uses the name as an interface too, and those have no dashes; no part of a name begins with a digit. */
export const busNameOf = (id: NetworkId): string => `${busNamespace}.n${id.replaceAll("-", "")}`;

/** `undefined` for a name that is no network's. */
export function networkOfBusName(name: string): NetworkId | undefined {
  const parts = /^netloom\.lease\.n([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(name);
  const id = parts?.slice(1).join("-") ?? "";
  return isUuid(id) ? networkId(id) : undefined;
}
