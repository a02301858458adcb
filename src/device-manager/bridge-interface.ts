// Carries a device plan out on a host with Linux bridges: two children per set-up, one on the host, one inside.
import { deleteBridgeIfEmpty, retryWhilePassing, withBridgeLock } from "../linux/bridge.ts";
import { type CommandRunner, commandFailed, runChecked } from "../linux/command-runner.ts";
import { batchFailed, ipLine, parseDevices, parseRoutes, readDeviceNames, runIpBatch } from "../linux/ip.ts";
import { isNamespace, namespacePath, removeStaleNamespaceFile } from "../linux/netns.ts";
import { NetloomError } from "../base/errors.ts";
import { type ActualDevices, planDevice } from "./device-plan.ts";
import type { DeviceMark } from "./device-mark.ts";
import type { DeviceSpec } from "./device-spec.ts";

// Constant text; values come in as $1 and $2 and on standard input.
const lookScript = "ip -j addr show && echo @ && ip -j -4 -d route show && echo @ && ip -j -6 -d route show";

/**
 * The device is born down, so these settings come before anything can be learnt on it: no router advertisement is
 * believed, no address is made up, and the link-local address can be used at once.
 *
 * The perl line is `ethtool -K $1 tx off` without ethtool (SIOCETHTOOL, ETHTOOL_STXCSUM 0). On a veth the kernel leaves
 * UDP checksums to hardware that does not exist; old DHCP clients, which read raw packets, drop such replies. A host
 * without perl only loses those clients.
 */
const applyScript = `
for d in default "$1"; do
  c=/proc/sys/net/ipv6/conf/$d
  if [ -d "$c" ]; then
    echo 0 > "$c/accept_ra"; echo 0 > "$c/autoconf"; echo 0 > "$c/accept_dad"
  fi
done
if [ "$2" = new ]; then
  perl -e 'socket(S,2,2,0); $v=pack("LL",0x17,0); ioctl(S,0x8946,pack("a16 P",$ARGV[0],$v))' "$1" || true
fi
exec ip -batch -
`;

function inNamespace(namespace: string, script: string, ...values: readonly string[]): readonly string[] {
  return ["nsenter", `--net=${namespacePath(namespace)}`, "sh", "-c", script, "sh", ...values];
}

async function readActual(runner: CommandRunner, spec: DeviceSpec, mark: DeviceMark): Promise<ActualDevices> {
  const names = readDeviceNames();
  const host = {
    hasBridge: names.has(spec.bridge),
    hasTap: names.has(spec.tap),
    staleTaps: mark.taps.filter((tap) => tap !== spec.tap && names.has(tap)),
  };
  if (!isNamespace(spec.namespace)) {
    removeStaleNamespaceFile(spec.namespace);
    return { ...host, hasNamespace: false, devices: [], routes: [] };
  }
  const output = await runChecked(runner, inNamespace(spec.namespace, lookScript));
  const [devices = "", routes4 = "", routes6 = ""] = output.split("@\n").map((part) => part.trim());
  return {
    ...host,
    hasNamespace: true,
    devices: parseDevices(devices),
    routes: [...parseRoutes(routes4, 4), ...parseRoutes(routes6, 6)],
  };
}

/** Looks, plans and applies; again while something that is being torn down is in the way. */
export async function ensureDevice(runner: CommandRunner, spec: DeviceSpec, mark: DeviceMark): Promise<void> {
  await retryWhilePassing(async () =>
    withBridgeLock(spec.bridge, async () => {
      const actual = await readActual(runner, spec, mark);
      const plan = planDevice(spec, actual);
      await runIpBatch(runner, plan.rootLines);
      const argv = inNamespace(spec.namespace, applyScript, spec.device, plan.isNewDevice ? "new" : "old");
      const result = await runner.run(argv, { stdin: `${plan.namespaceLines.join("\n")}\n` });
      if (result.exitCode === 0) return;
      if (/Command failed -:/.test(result.stderr)) throw batchFailed(["ip", "-batch", "-"], plan.namespaceLines, result);
      throw commandFailed(["nsenter", `--net=${namespacePath(spec.namespace)}`], result);
    }),
  );
}

/** Removes everything that the mark names. Deleting the tap first makes both ends go at once, not some 100 ms later. */
export async function removeDevice(runner: CommandRunner, mark: DeviceMark): Promise<void> {
  const names = readDeviceNames();
  const lines = mark.taps.filter((tap) => names.has(tap)).map((tap) => ipLine("link", "del", tap));
  if (isNamespace(mark.namespace)) lines.push(ipLine("netns", "del", mark.namespace));
  else removeStaleNamespaceFile(mark.namespace);
  await withBridgeLock(mark.bridge, async () => {
    await runIpBatch(runner, lines, { isLenient: true });
    const left = readDeviceNames();
    const leftTaps = mark.taps.filter((tap) => left.has(tap));
    if (isNamespace(mark.namespace) || leftTaps.length > 0) {
      throw new NetloomError("COMMAND_FAILED", `namespace ${mark.namespace} or its devices cannot be removed`, {
        networkId: mark.networkId,
        lines,
      });
    }
    await deleteBridgeIfEmpty(runner, mark.bridge);
  });
}
