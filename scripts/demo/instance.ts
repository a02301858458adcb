// The demo's instance: a network namespace in which busybox's udhcpc asks for an address. Nothing of the host is touched:
// our script for udhcpc writes what it was told into a file and configures the one interface inside.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const runFile = promisify(execFile);

/** What the client was told, in udhcpc's names: ip, mask, router, dns, domain, mtu, serverid, lease. */
export type ClientOptions = Readonly<Record<string, string>>;

const script = `#!/bin/sh
# Called by udhcpc with the event as argument and everything that it was told in the environment.
case "$1" in
  deconfig)
    ip addr flush dev "$interface" scope global
    ip link set "$interface" up
    ;;
  bound | renew)
    [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
    ip addr replace "$ip/$mask" dev "$interface"
    [ -n "$router" ] && ip route replace default via "\${router%% *}" dev "$interface"
    {
      for name in ip mask router dns domain mtu serverid lease hostname; do
        eval "echo $name=\\$$name"
      done
      echo "at=$(date +%s%3N)"
    } > "$NETLOOM_DEMO_OPTIONS.draft"
    mv "$NETLOOM_DEMO_OPTIONS.draft" "$NETLOOM_DEMO_OPTIONS"
    ;;
esac
`;

export async function addNamespace(namespace: string): Promise<void> {
  await runFile("ip", ["netns", "add", namespace]);
  await runFile("ip", ["-n", namespace, "link", "set", "lo", "up"]);
}

/** Absent is fine: a demo that was killed may have left one, or none. */
export async function removeNamespace(namespace: string): Promise<void> {
  const { stdout } = await runFile("ip", ["netns", "list"]);
  const isThere = stdout.split("\n").some((line) => line.split(" ")[0] === namespace);
  if (isThere) await runFile("ip", ["netns", "del", namespace]);
}

/** The device that `port plug` put there: the only one beside loopback. */
export async function readDevice(namespace: string): Promise<string> {
  const { stdout } = await runFile("ip", ["-n", namespace, "-j", "link", "show"]);
  const names = (JSON.parse(stdout) as { readonly ifname: string }[]).map((link) => link.ifname);
  const device = names.find((name) => name !== "lo");
  if (device === undefined) throw new Error(`port plug left no device in ${namespace}`);
  return device;
}

/** Runs udhcpc until it has a lease. @returns what it was told, and when it had it (`at`, milliseconds since the epoch) */
export async function askForLease(options: {
  readonly namespace: string;
  readonly device: string;
  readonly directory: string;
}): Promise<ClientOptions> {
  const { namespace, device, directory } = options;
  const scriptFile = join(directory, "udhcpc-script");
  const answerFile = join(directory, "udhcpc-options");
  await writeFile(scriptFile, script, { mode: 0o755 });
  // -n -q: give up without a lease, leave with one; -t and -T: 20 tries, 1 s apart.
  const asked = ["-O", "mtu", "-O", "domain", "-O", "dns", "-O", "router"];
  const argv = ["udhcpc", "-f", "-n", "-q", "-t", "20", "-T", "1", "-i", device, "-s", scriptFile, ...asked];
  await runFile("ip", ["netns", "exec", namespace, ...argv], { env: { ...process.env, NETLOOM_DEMO_OPTIONS: answerFile } });
  const lines = (await readFile(answerFile, "utf8")).trim().split("\n");
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
