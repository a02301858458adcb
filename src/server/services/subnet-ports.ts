// What a change of a subnet does to the ports of its network.
import { eui64Address, addressKey, formatAddress } from "../../model/addresses.ts";
import { ApiFault } from "../../types/api-faults.ts";
import type { StreamItem } from "../../types/agent-messages.ts";
import { isRouterOwner, makesNoAddress, storedCidr } from "../ipam/address-slots.ts";
import { isAutoAddressed } from "../ipam/subnet-rules.ts";
import type { Trx } from "../store/database.ts";
import type { SubnetRow } from "../store/rows.ts";
import { portItem } from "../store/stream-items.ts";
import { readTouchedSegments } from "./host-segments.ts";
import { insertFixedIps, isAutoDeleted, lockPorts, type PortWithAddresses, removeSubnetLeases } from "./port-rows.ts";
import { someOf, type ServiceDeps } from "./service-deps.ts";
import { touchRows } from "./standard-rows.ts";

/** A subnet whose hosts address themselves gives each port its address at once. Returns what agents must be told. */
export async function addAutoAddresses(trx: Trx, deps: ServiceDeps, subnet: SubnetRow): Promise<StreamItem[]> {
  if (!isAutoAddressed(subnet.ipv6_address_mode)) return [];
  const ids = await trx.selectFrom("ports").select("id").where("network_id", "=", subnet.network_id).orderBy("id").execute();
  const ports = await lockPorts(
    trx,
    deps.store.dialect,
    ids.map((row) => row.id),
  );
  const cidr = storedCidr(subnet);
  const elsewhere = await readPortsElsewhere(trx, subnet, ports);
  const changed = ports
    .filter((port) => !makesNoAddress(port.row.device_owner) && !elsewhere.has(port.row.id))
    .map(({ row, fixedIps }): PortWithAddresses => {
      const address = eui64Address(cidr, row.mac_address);
      const added = {
        port_id: row.id,
        network_id: row.network_id,
        subnet_id: subnet.id,
        ip_address: formatAddress(address),
        ip_key: addressKey(address),
        position: Math.max(-1, ...fixedIps.map((ip) => ip.position)) + 1,
      };
      return {
        row: { ...row, revision_number: row.revision_number + 1, ip_allocation: "immediate" },
        fixedIps: [...fixedIps, added],
      };
    });
  await insertFixedIps(
    trx,
    changed.flatMap((port) => port.fixedIps.filter((ip) => ip.subnet_id === subnet.id)),
  );
  await bumpPorts(trx, deps, changed);
  return changed.map((port) => portItem(port.row, port.fixedIps));
}

/** Ports of the network that are on another segment than the subnet, or nobody knows where. */
async function readPortsElsewhere(
  trx: Trx,
  subnet: SubnetRow,
  ports: readonly PortWithAddresses[],
): Promise<ReadonlySet<string>> {
  const { network_id, segment_id } = subnet;
  if (segment_id === null) return new Set();
  const rows = await trx
    .selectFrom("fixed_ips")
    .innerJoin("subnets", "subnets.id", "fixed_ips.subnet_id")
    .select("fixed_ips.port_id")
    .where("subnets.network_id", "=", network_id)
    .where("subnets.segment_id", "!=", segment_id)
    .execute();
  const bound = ports.filter(({ row }) => row.binding_host_id !== "" && !row.device_owner.startsWith("network:"));
  const touched = await readTouchedSegments(trx, { subnets: [subnet], hosts: bound.map(({ row }) => row.binding_host_id) });
  const away = bound.filter(({ row }) => touched.get(row.binding_host_id)?.has(segment_id) !== true);
  const waiting = ports.filter(({ row }) => row.ip_allocation === "deferred");
  return new Set([...rows.map((row) => row.port_id), ...[...away, ...waiting].map(({ row }) => row.id)]);
}

/** Refuses while somebody needs the subnet; otherwise takes its addresses from the ports that may lose them. */
export async function releaseSubnet(trx: Trx, deps: ServiceDeps, subnet: SubnetRow): Promise<StreamItem[]> {
  const users = await trx.selectFrom("fixed_ips").select("port_id").distinct().where("subnet_id", "=", subnet.id).execute();
  const ports = await lockPorts(trx, deps.store.dialect, users.map((row) => row.port_id).sort());
  const auto = isAutoAddressed(subnet.ipv6_address_mode);
  const blocking = ports.filter(({ row }) => isRouterOwner(row.device_owner) || !(auto || isAutoDeleted(row.device_owner)));
  if (blocking.length > 0) throw subnetInUse(subnet.id, blocking);
  await trx.deleteFrom("fixed_ips").where("subnet_id", "=", subnet.id).execute();
  await removeSubnetLeases(trx, subnet);
  const changed = ports.map(({ row, fixedIps }) => ({
    row: { ...row, revision_number: row.revision_number + 1 },
    fixedIps: fixedIps.filter((ip) => ip.subnet_id !== subnet.id),
  }));
  await bumpPorts(trx, deps, changed);
  return changed.map((port) => portItem(port.row, port.fixedIps));
}

const bumpPorts = (trx: Trx, deps: ServiceDeps, ports: readonly PortWithAddresses[]): Promise<void> =>
  touchRows(trx, deps, { table: "ports", ids: ports.map((port) => port.row.id) });

function subnetInUse(id: string, ports: readonly PortWithAddresses[]): ApiFault {
  const ids = someOf(ports.map((port) => port.row.id));
  const text = `Unable to complete operation on subnet ${id}: One or more ports have an IP allocation from this subnet: ${ids}.`;
  return new ApiFault("SubnetInUse", text);
}
