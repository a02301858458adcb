// The inside of a router's namespace: looked at and changed without a fork.
import { NetloomError, errorText } from "../../base/errors.ts";
import { type NamespaceOperation, type NamespaceRunner, netlink } from "../../linux/namespace-worker.ts";
import { parseAddresses, parseLinks } from "../../linux/netlink-answer.ts";
import { parseStaticRoutes } from "../../linux/netlink-route.ts";
import { listAddresses, listLinks, listRoutes } from "../../linux/netlink.ts";
import type { InsideState } from "./inside-plan.ts";

const empty = Buffer.alloc(0);

/** @param settings written on the way */
export async function readInside(
  worker: NamespaceRunner,
  namespace: string,
  { settings, hasIpv6 }: { readonly settings: readonly NamespaceOperation[]; readonly hasIpv6: boolean },
): Promise<InsideState> {
  const looks = [listLinks(), listAddresses(), listRoutes(4), ...(hasIpv6 ? [listRoutes(6)] : [])].map(netlink);
  const answers = (await worker.run(namespace, [...settings, ...looks])).slice(settings.length);
  const [linkAnswer = empty, addressAnswer = empty, routes4 = empty, routes6 = empty] = answers;
  const links = parseLinks(linkAnswer);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const addresses = parseAddresses(addressAnswer);
  return {
    devices: links.map((link) => ({ ...link, addresses: addresses.filter(({ index }) => index === link.index) })),
    routes: [...parseStaticRoutes(routes4, 4, names), ...parseStaticRoutes(routes6, 6, names)],
  };
}

/**
 * Each for itself: what the kernel does not take must not keep the others from it.
 *
 * @returns what was refused, in words
 */
export async function changeRoutes(
  worker: NamespaceRunner,
  namespace: string,
  changes: readonly NamespaceOperation[],
): Promise<readonly string[]> {
  try {
    await worker.run(namespace, changes);
    return [];
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
  }
  const refused: string[] = [];
  for (const change of changes) {
    try {
      await worker.run(namespace, [change]);
    } catch (thrown) {
      if (!isRefusal(thrown)) throw thrown;
      // ESRCH: what was to be removed went by itself.
      if (thrown.detail["errno"] !== 3) refused.push(errorText(thrown));
    }
  }
  return refused;
}

const isRefusal = (thrown: unknown): thrown is NetloomError =>
  thrown instanceof NetloomError && thrown.code === "COMMAND_FAILED" && typeof thrown.detail["errno"] === "number";
