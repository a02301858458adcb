// What most tests of the agent begin with: a network "blue" and a network "red", and an agent that serves what it was given.
import type { NetworkId } from "../../src/model/ids.ts";
import type { StreamItem } from "../../src/types/agent-messages.ts";
import { makeNetwork, makePort, makeSubnet, networkItem, portItem, subnetItem, testNetworkId } from "./agent-items.ts";
import { AgentRig } from "./agent-rig.ts";

export const blue = testNetworkId(1);
export const red = testNetworkId(2);

/** Network `n` with subnet `n`. */
export const bareItems = (n: number): readonly StreamItem[] => [
  networkItem(makeNetwork(n)),
  subnetItem(makeSubnet(n, testNetworkId(n))),
];
export const blueItems = [...bareItems(1), portItem(makePort(5, blue, 1))];
export const redItems = [...bareItems(2), portItem(makePort(6, red, 2))];

export async function startedRig(...items: readonly StreamItem[]): Promise<AgentRig> {
  const rig = new AgentRig();
  rig.server.commit(items);
  await rig.start();
  return rig;
}

/** A second agent on the host of one that is gone. */
export async function restartedRig(before: AgentRig): Promise<AgentRig> {
  await before.kill();
  const rig = new AgentRig({ before });
  await rig.start();
  return rig;
}

/** Networks in the order in which the driver was asked to serve them. */
export const applies = (rig: AgentRig): readonly NetworkId[] =>
  rig.driver.calls.filter(({ verb }) => verb === "apply").map(({ network }) => network);

export const removals = (rig: AgentRig): readonly NetworkId[] =>
  rig.driver.calls.filter(({ verb }) => verb === "remove").map(({ network }) => network);

export const servedPorts = (rig: AgentRig, network = blue): readonly string[] =>
  rig.host.running.get(network)?.view.ports.map(({ id }) => id) ?? [];

/** `undefined` when nothing is known of it. */
export const stateOf = (rig: AgentRig, network = blue): string | undefined => rig.agent.journal.status.get(network)?.state;
