// `port plug` and `port unplug`: an instance's interface on this host. The only commands that touch the kernel.
import { isAbsolute } from "node:path";
import { type Command, Option } from "commander";
import { canonicalPath } from "../../base/directories.ts";
import { readMarker } from "../../config/state-marker.ts";
import { isUuid, networkId, portId } from "../../model/ids.ts";
import type { PluggedVif, VifPort } from "../../vif/vif.ts";
import { type ApiClient, type ApiObject, resourceNames } from "../api-client.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, contextOf } from "./context.ts";

interface PlugOptions {
  readonly netns?: string;
  readonly tap?: true;
  readonly deviceName?: string;
  readonly stateDir: string;
  readonly host?: string;
}

const bindingHost = "binding:host_id";

export function addPlugCommands(root: Command): void {
  const port = root.commands.find((command) => command.name() === "port");
  if (port === undefined) throw new Error("the command `port` comes first");
  addPlug(port);
  addUnplug(port);
}

function addHostOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--state-dir <directory>", "state directory of this host")
        .env("NETLOOM_STATE_DIR")
        .default("/var/lib/netloom")
        .argParser(readStateDir),
    )
    .addOption(new Option("--host <host>", "name of this host; that of the state directory when absent").env("NETLOOM_HOST"));
}

function addPlug(port: Command): void {
  const command = port
    .command("plug")
    .description("give an instance on this host the port's interface")
    .argument("<port>", "name or id");
  command
    .option("--netns <name>", "into this network namespace, as containers have")
    .option("--tap", "as a tap device that a hypervisor opens")
    .option("--device-name <name>", "name of the device inside the namespace (default eth0)");
  addExamples(addHostOptions(command), "netloom port plug web --netns web", "netloom port plug web --tap");
  command.action(async (nameOrId: string, options: PlugOptions) => {
    const target = readTarget(options);
    requireRoot("plug");
    const host = await readHost(options);
    const context = contextOf(command);
    const { client } = context;
    const found = await client.find(resourceNames.port, nameOrId);
    const network = await client.show(resourceNames.network, String(found["network_id"]));
    const vifPort = toVifPort(found, network);
    const { plugPort } = await import("../../vif/vif.ts");
    const { processRunner } = await import("../../linux/command-runner.ts");
    const plugged = await withBinding(client, found, host, () =>
      plugPort({ runner: processRunner(), stateDir: options.stateDir, port: vifPort, target }),
    );
    await context.printObject({ ...describe(plugged), mac_address: vifPort.macAddress, host });
  });
}

function readStateDir(text: string): string {
  if (!isAbsolute(text)) throw new CommandFailure(exitCodes.usage, `--state-dir takes an absolute path, not ${text}`);
  return canonicalPath(text);
}

function readTarget({
  netns,
  tap,
  deviceName,
}: PlugOptions): { netns: string; deviceName: string | undefined } | { tap: true } {
  if ((netns === undefined) === (tap === undefined)) {
    throw new CommandFailure(exitCodes.usage, "say where: --netns <name> or --tap");
  }
  return netns === undefined ? { tap: true } : { netns, deviceName };
}

/** Bound first, because the server may refuse; a plug that fails leaves the port as it was. */
async function withBinding<T>(client: ApiClient, port: ApiObject, host: string, plug: () => Promise<T>): Promise<T> {
  const id = String(port["id"]);
  const bound = port[bindingHost];
  const before = typeof bound === "string" ? bound : "";
  if (before !== "" && before !== host) {
    throw new CommandFailure(exitCodes.conflict, `port ${id} is plugged on host ${before}: unplug it there first`);
  }
  try {
    if (before !== host) refuseFailedBinding(await client.update(resourceNames.port, id, { [bindingHost]: host }), host);
    return await plug();
  } catch (thrown) {
    if (before !== host) await client.update(resourceNames.port, id, { [bindingHost]: before }).catch(() => {});
    throw thrown;
  }
}

function refuseFailedBinding(port: ApiObject, host: string): void {
  if (port["binding:vif_type"] !== "binding_failed") return;
  throw new CommandFailure(exitCodes.conflict, `the server knows no agent on host ${host}: see netloom agent list`);
}

function addUnplug(port: Command): void {
  const command = port.command("unplug").description("take the port's interface away again").argument("<port>", "name or id");
  addExamples(addHostOptions(command), "netloom port unplug web");
  command.action(async (nameOrId: string, options: PlugOptions) => {
    requireRoot("unplug");
    const host = await readHost(options);
    const { client } = contextOf(command);
    const found = await findEvenWhenDeleted(client, nameOrId);
    const { unplugPort } = await import("../../vif/vif.ts");
    const { processRunner } = await import("../../linux/command-runner.ts");
    await unplugPort({ runner: processRunner(), stateDir: options.stateDir, portId: portId(String(found["id"])) });
    if (found[bindingHost] === host) {
      await client.update(resourceNames.port, String(found["id"]), { [bindingHost]: "" });
    }
  });
}

/** The interface of a port that was deleted meanwhile can still be taken away, by the port's id. */
async function findEvenWhenDeleted(client: ApiClient, nameOrId: string): Promise<ApiObject> {
  try {
    return await client.find(resourceNames.port, nameOrId);
  } catch (thrown) {
    const isGone = thrown instanceof CommandFailure && thrown.exitCode === exitCodes.notFound;
    if (isGone && isUuid(nameOrId)) return { id: nameOrId };
    throw thrown;
  }
}

function toVifPort(port: ApiObject, network: ApiObject): VifPort {
  return {
    id: portId(String(port["id"])),
    networkId: networkId(String(port["network_id"])),
    macAddress: String(port["mac_address"]),
    mtuBytes: Number(network["mtu"] ?? 0),
  };
}

/** Only where netloom runs: an interface that is noted elsewhere is one that `netloom down` will not find. */
async function readHost({ host, stateDir }: PlugOptions): Promise<string> {
  const marker = await readMarker(stateDir);
  if (marker === undefined) {
    throw new CommandFailure(
      exitCodes.usage,
      `${stateDir} is not a state directory of netloom: say with --state-dir or NETLOOM_STATE_DIR where it runs on this host`,
    );
  }
  return host ?? marker.host;
}

function requireRoot(verb: string): void {
  if (process.getuid?.() === 0) return;
  throw new CommandFailure(exitCodes.failure, `port ${verb} needs root, because it makes network devices: run it with sudo`);
}

function describe({ portId, networkId, tap, bridge, target }: PluggedVif): ApiObject {
  const place = target.kind === "netns" ? { netns: target.netns, device: target.deviceName } : {};
  return { port_id: portId, network_id: networkId, tap, bridge, ...place };
}
