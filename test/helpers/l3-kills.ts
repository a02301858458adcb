// Kills what serves routers and floating IPs of a running netloom at random moments: agents, the bus, and the VRRP processes of
// routers of high availability.
import { setTimeout as delay } from "node:timers/promises";
import { readProcess, sendSignal } from "../../src/linux/process-table.ts";
import { findProcessesOf } from "./instance.ts";
import type { NetloomUp } from "./netloom-up.ts";
import type { Random } from "./random.ts";

const victims = ["l3-agent", "floating-ip-agent", "nats-server", "keepalived"] as const;
type Victim = (typeof victims)[number];

export class L3Kills {
  readonly killed: Record<Victim, number> = { "l3-agent": 0, "floating-ip-agent": 0, "nats-server": 0, keepalived: 0 };
  readonly #up: NetloomUp;
  readonly #random: Random;

  constructor(up: NetloomUp, random: Random) {
    this.#up = up;
    this.#random = random;
  }

  /** Round after round, each in an order that the seed decides; what is just dead is left out. */
  async run(isOver: () => boolean): Promise<void> {
    let waiting: Victim[] = [];
    while (!isOver()) {
      await delay(200 + this.#random.below(1000));
      if (waiting.length === 0) waiting = [...victims];
      const [victim = "l3-agent"] = waiting.splice(this.#random.below(waiting.length), 1);
      const pid = await this.#find(victim);
      if (pid === undefined || isOver()) continue;
      const found = readProcess(pid);
      // It may have ended since: a VRRP process does with the other one of its pair.
      if (found !== undefined && sendSignal(found, "SIGKILL")) this.killed[victim] += 1;
    }
  }

  async #find(victim: Victim): Promise<number | undefined> {
    if (victim !== "keepalived") return this.#up.findProgram(victim);
    // Parents and workers alike.
    const pids = await findProcessesOf(this.#up.stateDir, "keepalived");
    return pids.length === 0 ? undefined : this.#random.pick(pids);
  }
}
