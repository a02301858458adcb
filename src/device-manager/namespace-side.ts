// The inside of a DHCP namespace: looked at and changed without a fork.
import { type NamespaceRunner, netlink } from "../linux/namespace-worker.ts";
import { parseAddresses, parseLinks, parseRouteAnswer } from "../linux/netlink-answer.ts";
import { listAddresses, listLinks, listRoutes } from "../linux/netlink.ts";
import { type InsideState, planSettings } from "./device-plan.ts";

const empty = Buffer.alloc(0);

/** The settings that nothing else would show are put right on the way. */
export async function readInside(
  worker: NamespaceRunner,
  namespace: string,
  { device, hasIpv6 }: { readonly device: string; readonly hasIpv6: boolean },
): Promise<InsideState> {
  const settings = hasIpv6 ? planSettings(["default", device]) : [];
  const looks = [listLinks(), listAddresses(), listRoutes(4), ...(hasIpv6 ? [listRoutes(6)] : [])].map(netlink);
  const answers = (await worker.run(namespace, [...settings, ...looks])).slice(settings.length);
  const [linkAnswer = empty, addressAnswer = empty, routes4 = empty, routes6 = empty] = answers;
  const links = parseLinks(linkAnswer);
  const names = new Map(links.map((link) => [link.index, link.name]));
  const addresses = parseAddresses(addressAnswer);
  return {
    devices: links.map((link) => ({ ...link, addresses: addresses.filter((one) => one.index === link.index) })),
    routes: [...parseRouteAnswer(routes4, 4, names), ...parseRouteAnswer(routes6, 6, names)],
  };
}
