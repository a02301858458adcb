// A host with `netloom floating-ip-agent` as a program: real nats-server, routers' namespaces as the L3 agent leaves them, and the
// server's side a fake. What the kernel must have is told here anew, not asked of the driver.
import { type ChildProcess, fork } from "node:child_process";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { readyDirectory, readyFile, type RouterReady } from "../../src/drivers/l3-layout.ts";
import type { RouterId } from "../../src/model/ids.ts";
import type { FloatingIpItem } from "../../src/types/l3-messages.ts";
import { figureIn, readAgentPage } from "./agent-page.ts";
import { endOf } from "./children.ts";
import { FakeFloatingIpServer } from "./fake-floating-ip-server.ts";
import { createFloatingIpRig, type FloatingIpRig } from "./floating-ip-rig.ts";
import { createTestDirectory, randomPrefix, type TestDirectory } from "./namespaces.ts";
import { startTestNats, type TestNats } from "./nats-server.ts";
import { waitFor } from "./wait-for.ts";
import { untilReady } from "./ready-program.ts";

const launcher = fileURLToPath(new URL("../../bin/netloom", import.meta.url));

export class FloatingIpHost {
  readonly host = `host-${randomPrefix()}f`;
  readonly stateDir: string;
  readonly nats: TestNats;
  readonly server: FakeFloatingIpServer;
  readonly #directory: TestDirectory;
  readonly #rigs: FloatingIpRig[] = [];
  #child: ChildProcess | undefined;
  #stderr = "";

  private constructor(directory: TestDirectory, nats: TestNats, make: (host: string) => FakeFloatingIpServer) {
    this.stateDir = directory.path;
    this.#directory = directory;
    this.nats = nats;
    this.server = make(this.host);
  }

  static async create(): Promise<FloatingIpHost> {
    const directory = await createTestDirectory();
    const nats = await startTestNats();
    const bus = await nats.connectServer();
    await mkdir(readyDirectory(directory.path), { recursive: true });
    return new FloatingIpHost(directory, nats, (host) => new FakeFloatingIpServer({ bus, host }));
  }

  /** What the agent wrote to standard error since its last start. */
  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async addRouter(instances = 1): Promise<FloatingIpRig> {
    const rig = await createFloatingIpRig(instances);
    this.#rigs.push(rig);
    await this.tell(rig.place);
    return rig;
  }

  /** As the L3 agent does it: at once or not at all. */
  async tell(place: RouterReady): Promise<void> {
    const file = readyFile(this.stateDir, place.routerId);
    await writeFile(`${file}.new`, JSON.stringify(place));
    await rename(`${file}.new`, file);
  }

  async untell(routerId: RouterId): Promise<void> {
    await rm(readyFile(this.stateDir, routerId), { force: true });
  }

  /** Resolves when it is ready. */
  async start(flags: readonly string[] = []): Promise<void> {
    const child = this.spawn(flags);
    this.#child = child;
    await untilReady(child, () => this.#stderr);
  }

  spawn(flags: readonly string[] = []): ChildProcess {
    const where = ["--state-dir", this.stateDir, "--host", this.host, "--nats-url", this.nats.url];
    const child = fork(launcher, ["floating-ip-agent", ...where, ...flags], {
      ...{ stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] },
    });
    this.#stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString("utf8");
    });
    return child;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await endOf(child, signal);
  }

  /** `metrics`, `status` or `readyz` of the agent. */
  page(name: string): Promise<string> {
    return readAgentPage(this.stateDir, "floating-ip-agent", name);
  }

  async figure(name: string): Promise<number> {
    return figureIn(await this.page("metrics"), `netloom_floating_ip_agent_${name}`);
  }

  /** Waits until the kernel has what the server's truth says of the router, element by element and route by route. */
  async waitForTruth(rig: FloatingIpRig, limitMs = 10_000): Promise<void> {
    const wanted = expectedOf([...this.server.truth.values()], rig.place.routerId);
    await waitFor(
      async () => {
        const found = { elements: await rig.readElements(), routes: await rig.readRoutes() };
        if (JSON.stringify(found) === JSON.stringify(wanted)) return true;
        throw new Error(differencesOf(wanted, found));
      },
      { limitMs, what: `the kernel of router ${rig.place.routerId} to equal the truth` },
    );
  }

  async close(): Promise<void> {
    await this.end("SIGKILL");
    await this.nats.close();
    for (const rig of this.#rigs) await rig.close();
    await this.#directory.remove();
  }
}

interface KernelState {
  readonly elements: readonly string[];
  readonly routes: readonly string[];
}

/** For floating IPs, and for port forwardings of single ports. */
function expectedOf(truth: readonly FloatingIpItem[], routerId: RouterId): KernelState {
  const elements: string[] = [];
  const routes = new Set<string>();
  const add = (name: string, element: unknown): void => void elements.push(`${name} ${JSON.stringify(element)}`);
  for (const item of truth) {
    if (item.op === "delete" || item.routerId !== routerId) continue;
    if (item.kind === "floating-ip") {
      const { floatingIp, fixedIp } = item.body;
      if (fixedIp === null) continue;
      add("fip_in", [floatingIp, fixedIp]);
      add("fip_out", [fixedIp, floatingIp]);
      add("fip_pair", { concat: [floatingIp, fixedIp] });
      routes.add(`${floatingIp} qg`);
    } else {
      const { floatingIp, protocol, internalIp, externalPorts, internalPorts } = item.body;
      const [external, internal] = [externalPorts?.first, internalPorts?.first];
      add("pf", [{ concat: [floatingIp, protocol, external] }, { concat: [internalIp, internal] }]);
      add("pf_seen", { concat: [floatingIp, protocol, external, internalIp] });
      add("pf_back", { concat: [floatingIp, protocol, internalIp, internal] });
      routes.add(`${floatingIp} qg`);
    }
  }
  return { elements: elements.toSorted(), routes: [...routes].toSorted() };
}

function differencesOf(wanted: KernelState, found: KernelState): string {
  const of = (one: KernelState, other: KernelState): readonly string[] => {
    const known = new Set([...other.elements, ...other.routes]);
    return [...one.elements, ...one.routes].filter((text) => !known.has(text)).slice(0, 5);
  };
  return `missing ${of(wanted, found).join(", ")}; too many ${of(found, wanted).join(", ")}`;
}
