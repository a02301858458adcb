// What an `up` that was killed left running.
import type { Logger } from "../base/logger.ts";
import { agentPrograms } from "./agent-programs.ts";
import { endLeftOver } from "./pid-file.ts";
import { endLeftOverNats } from "./private-nats.ts";
import { layout } from "./state-directory.ts";

/** Programs of an `up` that was killed; the data plane is not among them. */
export async function endLeftOvers(stateDir: string, log: Logger): Promise<void> {
  const { pidFile } = layout(stateDir);
  const programs = ["server", ...agentPrograms.map((program) => program.name)].map(async (name) => {
    const pid = await endLeftOver({ file: pidFile(name), words: [name, stateDir] });
    if (pid !== undefined) log.info({ outcome: name, pid }, "left-over program ended");
  });
  await Promise.all([...programs, endLeftOverNats(stateDir)]);
}
