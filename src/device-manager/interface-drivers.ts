// The interface drivers that there are, by name.
import { NetloomError } from "../base/errors.ts";
import { BridgeDriver } from "./bridge-driver.ts";
import type { HostTools } from "./host-tools.ts";
import type { InterfaceDriver, InterfaceDriverSettings } from "./interface-driver.ts";
import { OvsDriver } from "./ovs-driver.ts";

/** From an agent's configuration. */
export function chooseInterfaceDriver(config: {
  readonly interfaceDriver: InterfaceDriverSettings["kind"];
  readonly ovs: { readonly bridge: string; readonly database: string };
}): InterfaceDriverSettings {
  if (config.interfaceDriver === "openvswitch") return { kind: "openvswitch", ...config.ovs };
  return { kind: config.interfaceDriver };
}

/** @throws NetloomError INVALID for a name that no driver has; the settings may come from a file. */
export function createInterfaceDriver(tools: HostTools, settings: InterfaceDriverSettings): InterfaceDriver {
  if (settings.kind === "bridge") return new BridgeDriver(tools);
  if (settings.kind === "openvswitch") return new OvsDriver(tools, settings);
  const { kind } = settings as { readonly kind: unknown };
  throw new NetloomError("INVALID", `unknown interface driver ${JSON.stringify(kind)}: bridge or openvswitch`);
}
