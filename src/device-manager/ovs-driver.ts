// Ports of an Open vSwitch bridge that somebody else has set up: one for all networks, told apart by `iface-id`, by which a
// controller finds the port and gives it its network. A veth pair, so that all inside the namespace is as with Linux bridges
// and works with every datapath.
import { hasDevice } from "../linux/ip.ts";
import { type NamespaceOperation, netlink } from "../linux/namespace-worker.ts";
import { parseLinks } from "../linux/netlink-answer.ts";
import { joinLink } from "../linux/netlink-pair.ts";
import { getLink } from "../linux/netlink.ts";
import { OvsDatabase, type OvsCommand } from "../linux/ovs.ts";
import { type HostTools, removeTaps } from "./host-tools.ts";
import type { InterfaceDriver, InterfaceDriverSettings, InterfacePort, PluggedTaps } from "./interface-driver.ts";
import { createPairOperations } from "./veth-pair.ts";

type OvsSettings = Extract<InterfaceDriverSettings, { readonly kind: "openvswitch" }>;

export class OvsDriver implements InterfaceDriver {
  readonly settings: OvsSettings;
  readonly #tools: HostTools;
  readonly #database: OvsDatabase;

  constructor(tools: HostTools, settings: OvsSettings) {
    this.settings = settings;
    this.#tools = tools;
    this.#database = new OvsDatabase(tools.runner, settings.database);
  }

  bridgeOf(): string {
    return this.settings.bridge;
  }

  async plug(port: InterfacePort): Promise<void> {
    await this.#tools.worker.run(undefined, [...createPairOperations(port), up(port)]);
    // Out and in again: a row that is older than the device would go on with the device that was.
    await this.#database.change([["--if-exists", "del-port", port.tap], ...addCommands(port)]);
  }

  async look(port: InterfacePort): Promise<"absent" | "differs" | "fits"> {
    if (!hasDevice(port.tap)) return "absent";
    const [answer] = await this.#tools.worker.run(undefined, [netlink(getLink(port.tap))]);
    const [tap] = answer === undefined ? [] : parseLinks(answer);
    if (tap === undefined) return "absent";
    const hasMtu = port.mtuBytes === 0 || tap.mtuBytes === port.mtuBytes;
    return tap.isUp && hasMtu && (await this.#isJoined(port)) ? "fits" : "differs";
  }

  async #isJoined({ tap, bridge, portId }: InterfacePort): Promise<boolean> {
    const lines = await this.#database.read([
      ["port-to-br", tap],
      ["get", "Interface", tap, "external_ids:iface-id"],
      ["get", "Interface", tap, "ofport"],
    ]);
    const [joined, id, number] = lines ?? [];
    return joined === bridge && id?.replaceAll('"', "") === portId && Number(number) > 0;
  }

  /** Whether the switch knows the tap would take a child to ask: that is seen when the kernel is looked at closely. */
  isPlugged({ tap }: Pick<InterfacePort, "tap">): boolean {
    return hasDevice(tap);
  }

  async update(port: InterfacePort): Promise<void> {
    await this.#tools.worker.run(undefined, [up(port)]);
    if (!(await this.#isJoined(port)))
      await this.#database.change([["--if-exists", "del-port", port.tap], ...addCommands(port)]);
  }

  /** The switch first: a device that vanishes under it would leave a row that says so. */
  async unplug(plugged: PluggedTaps): Promise<void> {
    const rows = plugged.taps.map((tap): OvsCommand => ["--if-exists", "del-port", tap]);
    if (rows.length > 0) await this.#database.change(rows);
    await removeTaps(this.#tools, plugged);
  }
}

const up = ({ tap, mtuBytes }: InterfacePort): NamespaceOperation => netlink(joinLink(tap, { mtuBytes }));

/** Without a tag: the controller's, if there is one. */
function addCommands({ bridge, tap, portId, macAddress }: InterfacePort): readonly OvsCommand[] {
  const ids = { "iface-id": portId, "iface-status": "active", "attached-mac": macAddress };
  return [
    ["add-port", bridge, tap],
    ["set", "Interface", tap, ...Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`)],
  ];
}
