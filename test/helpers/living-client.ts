// A real DHCP client with a life: it keeps running with the address on its device, can be killed and started again with what it
// remembers, gives its lease back, and tells each thing that happens to it.
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endOf } from "./children.ts";
import { sh, waitForLinkLocal } from "./namespaces.ts";
import { waitFor } from "./wait-for.ts";

export const livingKinds = ["udhcpc", "dhclient", "dhclient6"] as const;
export type LivingKind = (typeof livingKinds)[number];

export interface ClientEvent {
  /** As the client calls it, in small letters and without the version: `bound`, `renew`, `rebind`, `reboot`, `nak`, `expire`, … */
  readonly what: string;
  readonly address: string;
  /** Who gave it: its address, over IPv6 its DUID. */
  readonly server: string;
}

export interface ClientTimers {
  /** Seconds after which it asks its server again, and after which it asks everybody. udhcpc knows neither. */
  readonly renew: number;
  readonly rebind: number;
  /** Seconds for which a dhclient that was started again asks for the address that it had; then it asks for any. */
  readonly reboot?: number;
}

const never: ClientTimers = { renew: 1000, rebind: 2000, reboot: 10 };

/** What may follow when a client asks for the address that it has: no matter which way the answer came. */
export const confirmations: readonly string[] = ["bound", "renew", "rebind", "reboot"];

// udhcpc's event is $1, dhclient's $reason. The one packet that gives a lease back may still wait for an ARP answer, and the
// kernel drops what waits when the last address of a device goes: hence the pause.
const script = `#!/bin/sh
address=\${ip:-\${new_ip_address:-$new_ip6_address}}
server=\${serverid:-\${new_dhcp_server_identifier:-$new_dhcp6_server_id}}
case "$1$reason" in
  bound|renew|BOUND*|RENEW*|REBIND*|REBOOT*)
    if [ -n "$new_ip6_address" ]; then
      ip -6 addr flush dev "$interface" scope global
      ip -6 addr replace "$address/128" dev "$interface" nodad
    else
      ip -4 addr flush dev "$interface"
      ip addr replace "$address/\${mask:-24}" dev "$interface"
    fi ;;
  DEPREF6) ;;
  EXPIRE6|STOP6|RELEASE6) ip -6 addr flush dev "$interface" scope global ;;
  deconfig|RELEASE)
    sleep 0.2
    ip -4 addr flush dev "$interface" ;;
  nak|EXPIRE|FAIL|STOP) ip -4 addr flush dev "$interface" ;;
esac
echo "$1$reason \${address:--} \${server:--}" >> "$NETLOOM_TEST_EVENTS"
exit 0
`;

const namedEvent = (text: string): ClientEvent => {
  const [what = "", address = "-", server = "-"] = text.split(" ");
  const known = (word: string): string => (word === "-" ? "" : word);
  return { what: what.toLowerCase().replace(/6$/, ""), address: known(address), server: known(server) };
};

export class LivingClient {
  readonly kind: LivingKind;
  readonly #namespace: string;
  readonly #directory: string;
  #child: ChildProcess | undefined;
  /** Events that were waited for already. */
  #seen = 0;

  private constructor(kind: LivingKind, namespace: string, directory: string) {
    this.kind = kind;
    this.#namespace = namespace;
    this.#directory = directory;
  }

  /** The namespace has a device `eth0` that is up. */
  static async create(kind: LivingKind, namespace: string): Promise<LivingClient> {
    const directory = await mkdtemp(join(tmpdir(), "netloom-living-client-"));
    const client = new LivingClient(kind, namespace, directory);
    await writeFile(client.#path("script"), script);
    await chmod(client.#path("script"), 0o755);
    await writeFile(client.#path("events"), "");
    if (kind === "dhclient6") await waitForLinkLocal(namespace);
    return client;
  }

  /** Again: as after a crash of the instance. dhclient remembers its lease; udhcpc remembers nothing, and is told to ask for `address`. */
  async start(timers: ClientTimers = never, address?: string): Promise<void> {
    await this.kill();
    await this.#writeTimers(timers);
    const isBusybox = this.kind === "udhcpc";
    const asked = address === undefined ? [] : ["-r", address];
    const argv = isBusybox
      ? ["udhcpc", "-i", "eth0", "-f", "-t", "50", "-T", "1", "-A", "1", "-s", this.#path("script"), ...asked]
      : this.#dhclient("-d");
    this.#child = spawn("nsenter", [`--net=/run/netns/${this.#namespace}`, ...argv], {
      stdio: "ignore",
      env: { PATH: process.env["PATH"], NETLOOM_TEST_EVENTS: this.#path("events") },
    });
  }

  /** The next event of these names that nobody waited for; what comes before it counts as seen. */
  async next(names: readonly string[], limitMs = 30_000): Promise<ClientEvent> {
    return waitFor(
      async () => {
        const events = await this.events();
        const at = events.findIndex(({ what }, index) => index >= this.#seen && names.includes(what));
        const event = events[at];
        if (event === undefined)
          throw new Error(`${this.kind} told ${events.map((one) => `${one.what} ${one.address}`).join(", ")}`);
        if (confirmations.includes(event.what) && !(await this.#remembers(event.address)))
          throw new Error(`${this.kind} has not written down its lease of ${event.address}`);
        this.#seen = at + 1;
        return event;
      },
      { limitMs, what: `${names.join(" or ")} from ${this.kind}` },
    );
  }

  /** dhclient writes its lease down after its script has ended: one that is killed between the two has never had it. */
  async #remembers(address: string): Promise<boolean> {
    if (this.kind === "udhcpc") return true;
    const leases = await readFile(this.#path("leases"), "utf8");
    return leases.includes(this.kind === "dhclient6" ? `iaaddr ${address} ` : `fixed-address ${address};`);
  }

  async events(): Promise<readonly ClientEvent[]> {
    const text = await readFile(this.#path("events"), "utf8");
    return text.split("\n").slice(0, -1).map(namedEvent);
  }

  /** What is told from here on is new. */
  async forget(): Promise<void> {
    this.#seen = (await this.events()).length;
  }

  /** Addresses on the device. */
  async addresses(): Promise<readonly string[]> {
    const family = this.kind === "dhclient6" ? "-6" : "-4";
    const argv = ["-n", this.#namespace, family, "-j", "addr", "show", "dev", "eth0", "scope", "global"];
    const links: readonly { readonly addr_info?: readonly { readonly local?: string }[] }[] = JSON.parse(
      await sh("ip", ...argv),
    );
    return links.flatMap(({ addr_info = [] }) => addr_info.flatMap(({ local }) => local ?? []));
  }

  /**
   * Asks its server for more time now, and everybody when that one does not answer. dhclient cannot be told to: it is started
   * again with times that are over soon, which begins with an INIT-REBOOT, over IPv6 a CONFIRM.
   */
  async renewSoon(timers: ClientTimers): Promise<void> {
    if (this.kind === "udhcpc") {
      this.#child?.kill("SIGUSR1");
      return;
    }
    await this.start(timers);
  }

  /** Gives the lease back, and ends. */
  async release(): Promise<void> {
    if (this.kind === "udhcpc") {
      await this.forget();
      this.#child?.kill("SIGUSR2");
      await this.next(["deconfig"]);
      return this.kill();
    }
    await this.kill();
    // The address is on the device still: the packet is sent from it.
    await sh("ip", "netns", "exec", this.#namespace, ...this.#dhclient("-r"));
  }

  /** kill -9: the address stays on the device. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    await endOf(child, "SIGKILL");
    await rm(this.#path("pid"), { force: true });
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #dhclient(mode: "-d" | "-r"): readonly string[] {
    const files = { "-sf": "script", "-lf": "leases", "-pf": "pid", "-cf": "config" };
    const paths = Object.entries(files).flatMap(([flag, name]) => [flag, this.#path(name)]);
    // dhclient hands its script nothing but what -e names.
    const events = ["-e", `NETLOOM_TEST_EVENTS=${this.#path("events")}`];
    return ["dhclient", ...(this.kind === "dhclient6" ? ["-6"] : []), mode, ...events, ...paths, "eth0"];
  }

  /** Over IPv6 dhclient goes by what the lease says, also by one that it finds in its file. */
  async #writeTimers({ renew, rebind, reboot = 2 }: ClientTimers): Promise<void> {
    const times = `supersede dhcp-renewal-time ${renew};\nsupersede dhcp-rebinding-time ${rebind};\n`;
    const config = `timeout 10;\nreboot ${reboot};\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 1;\nsend host-name = "";\n`;
    await writeFile(this.#path("config"), `${config}${this.kind === "dhclient" ? times : ""}`);
    if (this.kind !== "dhclient6") return;
    const leases = await readFile(this.#path("leases"), "utf8").catch(() => undefined);
    if (leases === undefined) return;
    const nowS = Math.floor(Date.now() / 1000);
    const timed = leases
      .replace(/renew \d+;/g, `renew ${renew};`)
      .replace(/rebind \d+;/g, `rebind ${rebind};`)
      .replace(/starts \d+;/g, `starts ${nowS};`);
    await writeFile(this.#path("leases"), timed);
  }
}
