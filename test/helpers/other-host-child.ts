// The process of another host, see other-host.ts.
import { DhcpBench } from "./dhcp-bench.ts";
import type { HostCommand } from "./other-host.ts";

let bench: DhcpBench | undefined;

async function obey(command: HostCommand): Promise<void> {
  if ("create" in command) bench = await DhcpBench.create(command.create);
  else if ("apply" in command) await bench?.apply(command.apply);
  else await bench?.close();
}

process.on("message", (command: HostCommand) => {
  obey(command).then(
    () => process.send?.("done"),
    (thrown: unknown) => process.send?.(String(thrown)),
  );
});
