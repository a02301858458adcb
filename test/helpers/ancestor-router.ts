// What the ancestor's L3 agent does for one router with a gateway, as one child per step, for comparison in benchmarks. Its Python,
// its remote calls, its metadata proxy and the seconds that arping takes (it waits for these in a thread) are left out, so the
// real one was slower.
import { spawn } from "node:child_process";
import type { Router, RouterGateway, RouterInterface } from "../../src/model/router.ts";
import { bridgeName, gatewayDeviceName, routerDeviceName, tapName } from "../../src/model/device-names.ts";

export interface AncestorRouterOptions {
  readonly namespaceOf: (router: Router) => string;
  readonly externalBridge: string;
}

export class AncestorRouters {
  readonly #options: AncestorRouterOptions;
  readonly #made: Router[] = [];
  /** Children started so far. */
  children = 0;

  constructor(options: AncestorRouterOptions) {
    this.#options = options;
  }

  async create(router: Router): Promise<void> {
    const namespace = this.#options.namespaceOf(router);
    this.#made.push(router);
    await this.#run("ip", "-o", "netns", "list");
    await this.#run("ip", "netns", "add", namespace);
    const settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"];
    for (const setting of [...settings, "net.netfilter.nf_conntrack_tcp_be_liberal=1", "net.ipv6.conf.all.forwarding=1"]) {
      await this.#inside(namespace, ["sysctl", "-qw", setting]);
    }
    await this.#inside(namespace, ["ip", "link", "set", "lo", "up"]);
    for (const port of router.interfaces)
      await this.#plug(namespace, port, routerDeviceName(port.portId), bridgeName(port.networkId));
    if (router.gateway !== null) await this.#plugGateway(namespace, router.gateway);
    await this.#applyTables(namespace, router);
  }

  async #plugGateway(namespace: string, gateway: RouterGateway): Promise<void> {
    const device = gatewayDeviceName(gateway.portId);
    await this.#plug(namespace, gateway, device, this.#options.externalBridge);
    await this.#inside(namespace, ["ip", "route", "show", "dev", device]);
    const via = gateway.addresses[0]?.gatewayIp ?? "";
    await this.#inside(namespace, ["ip", "route", "replace", "default", "via", via, "dev", device]);
  }

  async #plug(namespace: string, port: RouterInterface, device: string, bridge: string): Promise<void> {
    const tap = tapName(port.portId);
    const mtu = String(port.mtuBytes);
    const [address] = port.addresses;
    await this.#run("ip", "link", "add", tap, "type", "veth", "peer", "name", device);
    await this.#run("ip", "link", "set", device, "address", port.macAddress);
    await this.#run("ip", "link", "set", device, "netns", namespace);
    await this.#run("ip", "link", "set", tap, "mtu", mtu);
    await this.#inside(namespace, ["ip", "link", "set", device, "mtu", mtu]);
    await this.#run("ip", "link", "set", tap, "master", bridge);
    await this.#run("ip", "link", "set", tap, "up");
    await this.#inside(namespace, ["ip", "link", "set", device, "up"]);
    await this.#inside(namespace, ["ip", "addr", "show", device, "permanent"]);
    const cidr = `${address?.ipAddress}/${address?.prefixLength}`;
    await this.#inside(namespace, ["ip", "-4", "addr", "add", cidr, "brd", "+", "dev", device]);
  }

  /** Both families, each read and written as a whole. */
  async #applyTables(namespace: string, router: Router): Promise<void> {
    const source = router.gateway?.addresses[0]?.ipAddress ?? "";
    const device = router.gateway === null ? "" : gatewayDeviceName(router.gateway.portId);
    await this.#inside(namespace, ["iptables-save"]);
    await this.#inside(namespace, ["iptables-restore", "-n"], tables(device, source));
    await this.#inside(namespace, ["ip6tables-save"]);
    await this.#inside(namespace, ["ip6tables-restore", "-n"], tables6);
  }

  async destroy(): Promise<void> {
    for (const router of this.#made) {
      await this.#run("ip", "netns", "del", this.#options.namespaceOf(router)).catch(() => {});
      for (const { portId } of [...router.interfaces, ...(router.gateway === null ? [] : [router.gateway])]) {
        await this.#run("ip", "link", "del", tapName(portId)).catch(() => {});
      }
    }
  }

  /** As the ancestor enters a namespace. */
  #inside(namespace: string, argv: readonly string[], input = ""): Promise<void> {
    return this.#spawn(["ip", "netns", "exec", namespace, ...argv], input);
  }

  #run(...argv: readonly string[]): Promise<void> {
    return this.#spawn(argv, "");
  }

  #spawn([file = "", ...args]: readonly string[], input: string): Promise<void> {
    this.children += 1;
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
      let errors = "";
      child.stdout.resume();
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        errors += chunk;
      });
      child.stdin.on("error", () => {});
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`${args.join(" ").slice(0, 200)}: ${code} ${errors.slice(0, 500)}`));
      });
      child.stdin.end(input);
    });
  }
}

const chains = (names: readonly string[]): readonly string[] => names.map((name) => `:a-${name} - [0:0]`);

function tables(device: string, source: string): string {
  return [
    "*nat",
    ...chains(["PREROUTING", "OUTPUT", "POSTROUTING", "float-snat", "snat"]),
    "-A PREROUTING -j a-PREROUTING",
    "-A OUTPUT -j a-OUTPUT",
    "-A POSTROUTING -j a-POSTROUTING",
    "-A POSTROUTING -j a-snat",
    "-A a-PREROUTING -i qr-+ -d 169.254.169.254/32 -p tcp --dport 80 -j REDIRECT --to-ports 9697",
    `-A a-POSTROUTING ! -o ${device} -m conntrack ! --ctstate DNAT -j ACCEPT`,
    "-A a-snat -j a-float-snat",
    `-A a-snat -o ${device} -j SNAT --to-source ${source} --random-fully`,
    "COMMIT",
    "*mangle",
    ...chains(["PREROUTING", "mark"]),
    "-A PREROUTING -j a-PREROUTING",
    "-A a-PREROUTING -j a-mark",
    `-A a-mark -i ${device} -j MARK --set-xmark 0x2/0xffff`,
    "COMMIT",
    "*filter",
    ...chains(["INPUT", "FORWARD"]),
    "-A INPUT -j a-INPUT",
    "-A FORWARD -j a-FORWARD",
    "-A a-INPUT -m mark --mark 0x1/0xffff -j ACCEPT",
    "-A a-INPUT -p tcp --dport 9697 -j DROP",
    "COMMIT",
    "",
  ].join("\n");
}

const tables6 = [
  "*filter",
  ...chains(["INPUT", "FORWARD"]),
  "-A INPUT -j a-INPUT",
  "-A FORWARD -j a-FORWARD",
  "COMMIT",
  "",
].join("\n");
