// An L3 agent as a process of its own, as `netloom up` starts it, told by a server in memory over a real NATS: for figures of that
// process alone.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Router } from "../../src/model/router.ts";
import { agentNodeFlags } from "../../src/up/node-flags.ts";
import { endOf } from "./children.ts";
import { FakeRouterServer, routerItem } from "./fake-router-server.ts";
import { createTestDirectory, randomPrefix, type TestDirectory } from "./namespaces.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { netloom } from "./netloom-up.ts";
import { openOutside, type OutsideSegment } from "./outside-segment.ts";
import { liveChildren, proportionalMb, residentMb } from "./process-figures.ts";
import { waitFor } from "./wait-for.ts";
import { untilReady } from "./ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export interface AgentMemory {
  readonly residentMb: number;
  /** Of all that it has started and keeps: worker, nft, fork server. What they share counts in part. */
  readonly childrenMb: number;
  readonly children: number;
}

interface Parts {
  readonly host: string;
  readonly directory: TestDirectory;
  readonly outside: OutsideSegment;
  readonly nats: TestNats;
  readonly server: FakeRouterServer;
  readonly flags: readonly string[];
}

export class L3AgentProcess {
  readonly #parts: Parts;
  #child: ChildProcess | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** With a physical network `public`. */
  static async create(): Promise<L3AgentProcess> {
    const prefix = randomPrefix();
    const host = `host-${prefix}m`;
    const directory = await createTestDirectory();
    const outside = await openOutside(prefix);
    const nats = await startTestNats([{ role: "l3", host }]);
    const server = new FakeRouterServer({ bus: await nats.connectServer(), host, pageSize: 50 });
    const seed = nats.credentials.get(`l3-${host}`)?.seedFile ?? "";
    const names = ["--host", host, `--namespace-prefix=${prefix}`, "--state-dir", directory.path, "--log-level", "warn"];
    const reach = ["--nats-url", nats.url, "--nats-nkey-seed-file", seed, `--l3-bridge-mappings=public:${outside.bridge}`];
    return new L3AgentProcess({ host, directory, outside, nats, server, flags: ["l3-agent", ...names, ...reach] });
  }

  /** Resolves when every router that the server has had its turn. */
  async start(): Promise<void> {
    const child = fork(launcher, this.#parts.flags, {
      execArgv: [...agentNodeFlags],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    await untilReady(child);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endOf(child, "SIGTERM");
  }

  /** Resolves when the agent has reported all of them. */
  async commit(routers: readonly Router[]): Promise<void> {
    const { server } = this.#parts;
    for (const router of routers) server.commit([routerItem(router)]);
    await waitFor(() => new Set(server.reports.flat().map(({ id }) => id)).size >= server.truth.size, {
      ...{ limitMs: 120_000, everyMs: 100, what: `statuses of ${routers.length} routers` },
    });
  }

  readMemory(): AgentMemory {
    const pid = this.#child?.pid ?? 0;
    const children = descendantsOf(pid);
    const childrenMb = children.map(proportionalMb).reduce((sum, one) => sum + (Number.isNaN(one) ? 0 : one), 0);
    return { residentMb: residentMb(pid), childrenMb, children: children.length };
  }

  /** And everything that it has made on this machine. */
  async destroy(): Promise<void> {
    const { directory, outside, nats } = this.#parts;
    await this.stop();
    await netloom(["down", "--state-dir", directory.path]);
    await nats.close();
    await outside.remove();
    await directory.remove();
  }
}

const descendantsOf = (pid: number): readonly number[] =>
  liveChildren(pid).flatMap((child) => [child, ...descendantsOf(child)]);
