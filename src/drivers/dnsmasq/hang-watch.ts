// Sees that a dnsmasq is alive and answers nobody: stopped by somebody, caught in a loop, or waiting for what never comes. What
// only takes long is left alone: a reload of very many hosts and leases is a minute in which it does nothing else.
import { type ProcessProgress, readProcessProgress, readReceivedPackets, readWaitPlace } from "../../linux/process-load.ts";
import type { ProcessIdentity } from "../../linux/process-table.ts";
import type { NetworkId } from "../../model/ids.ts";

export interface HangFacts {
  readonly readProgress: (pid: number) => ProcessProgress | undefined;
  readonly readWaitPlace: (pid: number) => string;
  readonly readReceived: (pid: number) => number;
}

const kernelFacts: HangFacts = { readProgress: readProcessProgress, readWaitPlace, readReceived: readReceivedPackets };

export interface ServerLook {
  readonly server: ProcessIdentity;
  /** See `ProcessLook`. */
  readonly state: string;
  /** Host lines that it has read. */
  readonly hosts: number;
}

type Kind = "stopped" | "running" | "waiting";

interface Suspicion {
  readonly kind: Kind;
  readonly server: ProcessIdentity;
  readonly sinceMs: number;
  readonly progress: ProcessProgress | undefined;
  readonly received: number;
}

/** Somebody may have stopped it for a moment, to look at it. */
const stoppedMs = 1500;
const waitingMs = 5000;
/** Of its own time on a processor, which a busy host does not make longer. */
const runningCpuMs = 10_000;
/** Where a process sleeps that waits for whatever comes first, as dnsmasq does between two things. */
const idlePlace = /poll/;
/** Each sleeping server is asked where it sleeps at every so manieth look: nearly all of them always sleep. */
const sleepersShare = 4;

/** What taking in so many hosts, all of them leased, costs dnsmasq at most, as measured; on a machine four times as slow. */
const changeCpuMs = (hosts: number): number => {
  const thousands = hosts / 1000;
  return 4 * (4.6 * thousands ** 1.7 + 26 * thousands ** 2);
};

export class HangWatch {
  readonly #facts: HangFacts;
  readonly #suspicions = new Map<NetworkId, Suspicion>();
  #looks = 0;

  constructor(facts: HangFacts = kernelFacts) {
    this.#facts = facts;
  }

  /**
   * For one look at every server, each two seconds or so.
   *
   * @returns of one server: why it is beyond hope; undefined for all that may answer
   */
  beginLook(nowMs: number): (id: NetworkId, look: ServerLook) => string | undefined {
    this.#looks += 1;
    let index = this.#looks;
    return (id, { server, state, hosts }) => {
      index += 1;
      const isSuspected = this.#suspicions.has(id);
      if (state === "S" && !isSuspected && index % sleepersShare !== 0) return undefined;
      const kind = this.#kindOf(server, state);
      if (kind === undefined) {
        this.#suspicions.delete(id);
        return undefined;
      }
      return this.#judge(id, { kind, server, nowMs, hosts });
    };
  }

  forget(id: NetworkId): void {
    this.#suspicions.delete(id);
  }

  /** One that is in the middle of a write to a disk (D) can neither be helped nor ended. */
  #kindOf({ pid }: ProcessIdentity, state: string): Kind | undefined {
    if (state === "T") return "stopped";
    if (state === "R") return "running";
    if (state !== "S") return undefined;
    const place = this.#facts.readWaitPlace(pid);
    return place === "" || idlePlace.test(place) ? undefined : "waiting";
  }

  #judge(id: NetworkId, now: Omit<ServerLook, "state"> & { readonly kind: Kind; readonly nowMs: number }): string | undefined {
    const { kind, server, nowMs, hosts } = now;
    const progress = this.#facts.readProgress(server.pid);
    const received = this.#facts.readReceived(server.pid);
    const before = this.#suspicions.get(id);
    if (before === undefined || !isSame(before, { kind, server, progress, received })) {
      this.#suspicions.set(id, { kind, server, sinceMs: nowMs, progress, received });
      return undefined;
    }
    const sinceMs = nowMs - before.sinceMs;
    const cpuMs = (progress?.cpuMs ?? 0) - (before.progress?.cpuMs ?? 0);
    if (kind === "stopped") return sinceMs >= stoppedMs ? "stopped" : undefined;
    if (kind === "waiting") return sinceMs >= waitingMs ? `waits in ${progress?.waitsIn}` : undefined;
    return cpuMs >= runningCpuMs + changeCpuMs(hosts) ? `runs for ${Math.round(cpuMs)} ms without an end` : undefined;
  }
}

/** It has not got anything done since: taken no packet, waited for nothing new, and, where it does not run, not run. */
function isSame(before: Suspicion, now: Omit<Suspicion, "sinceMs">): boolean {
  const { kind, server, progress, received } = now;
  if (before.kind !== kind || before.server.pid !== server.pid || before.server.startTime !== server.startTime) return false;
  if (kind === "stopped") return true;
  const isIdle = before.received === received && before.progress?.waits === progress?.waits;
  return isIdle && progress !== undefined && (kind === "running" || before.progress?.cpuMs === progress.cpuMs);
}
