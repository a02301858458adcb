// A process with nothing but a metadata proxy: for tests that kill it. Argument: the network's view, port and device as JSON.
import type { DhcpDevice } from "../../src/drivers/dhcp-driver.ts";
import { planMetadata } from "../../src/model/metadata-plan.ts";
import type { NetworkView, Port } from "../../src/model/network.ts";
import { openProxy } from "./metadata-bench.ts";

interface Task {
  readonly view: NetworkView;
  readonly dhcpPort: Port;
  readonly device: DhcpDevice;
  readonly sockets: "setns" | "child";
}

const { sockets, ...rest } = JSON.parse(process.argv[2] ?? "") as Task;
const plan = planMetadata(rest.view, rest.dhcpPort, { isolated: true, force: false, metadataNetwork: false });
const proxy = await openProxy({ sockets });
await proxy.apply({ ...rest, plan });
process.stdout.write("ready\n");
