// Work inside network namespaces without a fork for each: one child, made when first needed, that goes from namespace to
// namespace and hands messages to the kernel. It is ended after any answer that makes no sense, and made anew.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { getSystemErrorMap } from "node:util";
import { errorText, NetloomError } from "../base/errors.ts";
import { namespacePath } from "./netns.ts";
import type { NetlinkMessage } from "./netlink-bytes.ts";

export type NamespaceOperation =
  /** A kernel setting, by its name with slashes; skipped when this kernel has none of that name. */
  | { readonly kind: "sysctl"; readonly name: string; readonly value: string | number }
  /**
   * Leaves UDP and TCP checksums to software. On a veth the kernel leaves them to hardware that does not exist; DHCP clients
   * that read raw packets drop such replies.
   */
  | { readonly kind: "softwareChecksums"; readonly device: string }
  | { readonly kind: "netlink"; readonly message: NetlinkMessage }
  /** For the connection table; see netlink-conntrack.ts. */
  | { readonly kind: "netfilter"; readonly message: Pick<NetlinkMessage, "bytes" | "text"> }
  /** Whole Ethernet frames of ARP, sent as they are. */
  | { readonly kind: "frames"; readonly device: string; readonly frames: readonly Buffer[] }
  /** As `ip netns add` and `del`. Only in jobs for the parent's namespace. */
  | { readonly kind: "makeNamespace" | "removeNamespace"; readonly name: string }
  /** Nothing must have the new name. Also only there. */
  | { readonly kind: "renameNamespace"; readonly name: string; readonly to: string };

export const netlink = (message: NetlinkMessage): NamespaceOperation => ({ kind: "netlink", message });

/** As ip(8) or a shell would be told. */
export function operationText(operation: NamespaceOperation): string {
  if (operation.kind === "netlink" || operation.kind === "netfilter") return operation.message.text;
  if (operation.kind === "sysctl") return `sysctl ${operation.name}=${operation.value}`;
  if (operation.kind === "softwareChecksums") return `ethtool -K ${operation.device} tx off`;
  if (operation.kind === "frames") return `send ${operation.frames.length} frames dev ${operation.device}`;
  if (operation.kind === "renameNamespace") return `netns rename ${operation.name} ${operation.to}`;
  return `netns ${operation.kind === "makeNamespace" ? "add" : "del"} ${operation.name}`;
}

export interface NamespaceJob {
  /** `undefined`: the namespace of this process. */
  readonly namespace: string | undefined;
  readonly operations: readonly NamespaceOperation[];
}

interface PendingJob extends NamespaceJob {
  readonly resolve: (answers: readonly Buffer[]) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

// Numbers of the system calls that perl has no words for; newer machines share one table.
const generic = { setns: 268, unshare: 97, mount: 40, umount2: 39 };
const systemCalls: Readonly<Record<string, typeof generic>> = {
  x64: { setns: 308, unshare: 272, mount: 165, umount2: 166 },
  arm64: generic,
  riscv64: generic,
  loong64: generic,
};

const scriptPath = fileURLToPath(new URL("./netloom-namespace-worker", import.meta.url));
const jobLimitMs = 20_000;
/** Without work for so long, it is ended: it is there for bursts. */
const defaultIdleMs = 5_000;
const idleEnd = new NetloomError("UNAVAILABLE", "the namespace worker was idle");

/** As strerror says them; `retryWhilePassing` and people know these words from ip(8). */
function errnoText(errno: number): string {
  const [, words] = getSystemErrorMap().get(-errno) ?? [];
  const known: Readonly<Record<number, string>> = { 17: "File exists", 19: "No such device", 16: "Device or resource busy" };
  return known[errno] ?? words ?? `error ${errno}`;
}

/** What others need of the worker. */
export type NamespaceRunner = Pick<NamespaceWorker, "run">;

export class NamespaceWorker {
  readonly #searchPath: string;
  readonly #idleMs: number;
  readonly #pending: PendingJob[] = [];
  #child: ChildProcessWithoutNullStreams | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #received = "";
  #starts = 0;

  /**
   * @param searchPath where perl is looked for; the PATH of this process unless told otherwise
   * @param idleMs without work for so long the child is ended; for those whose single changes must not wait for a start, long
   */
  constructor(
    searchPath: string = process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    { idleMs = defaultIdleMs }: { readonly idleMs?: number } = {},
  ) {
    this.#searchPath = searchPath;
    this.#idleMs = idleMs;
  }

  /** How often a child was started. */
  get starts(): number {
    return this.#starts;
  }

  /**
   * Runs the operations in order and stops at the first that fails. Jobs run one after another.
   *
   * @returns for each operation what the kernel said, without acknowledgements
   * @throws NetloomError COMMAND_FAILED names the operation that failed; UNAVAILABLE when the worker itself did
   */
  run(namespace: string | undefined, operations: readonly NamespaceOperation[]): Promise<readonly Buffer[]> {
    if (operations.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const text = formatJob({ namespace, operations });
      const child = this.#ensureChild();
      const timer = setTimeout(
        () => this.#giveUp(new NetloomError("TIMEOUT", "the namespace worker does not answer")),
        jobLimitMs,
      );
      this.#pending.push({ namespace, operations, resolve, reject, timer });
      this.#hold(child, true);
      child.stdin.write(text);
    });
  }

  /** Starts the child, so that the first job does not wait for that. */
  warm(): void {
    this.#hold(this.#ensureChild(), this.#pending.length > 0);
  }

  /** Ends the child and waits for its end; what is under way fails. A later job starts another. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    this.#giveUp(new NetloomError("UNAVAILABLE", "the namespace worker was closed"));
    child.ref();
    await ended;
  }

  #ensureChild(): ChildProcessWithoutNullStreams {
    if (this.#child !== undefined) return this.#child;
    const calls = systemCalls[process.arch];
    if (calls === undefined) throw new NetloomError("UNAVAILABLE", `namespaces are not supported on ${process.arch}`);
    const env = { PATH: this.#searchPath, LC_ALL: "C" };
    const child = spawn("perl", [scriptPath, ...[calls.setns, calls.unshare, calls.mount, calls.umount2].map(String)], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#starts += 1;
    this.#received = "";
    this.#child = child;
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words = (words + chunk).slice(-2000)));
    child.stdout.setEncoding("latin1").on("data", (chunk: string) => this.#receive(child, chunk));
    child.stdin.on("error", () => {});
    child.once("error", (error: NodeJS.ErrnoException) => this.#lose(child, notStarted(error)));
    child.once("close", () =>
      this.#lose(child, new NetloomError("UNAVAILABLE", `the namespace worker ended: ${words.trim()}`)),
    );
    return child;
  }

  /** While nothing is under way it does not keep this process alive. */
  #hold(child: ChildProcessWithoutNullStreams, isHeld: boolean): void {
    clearTimeout(this.#idleTimer);
    // The casts: pipes to a child are sockets, which the types do not say.
    for (const handle of [child, child.stdin, child.stdout, child.stderr] as unknown as readonly {
      ref(): void;
      unref(): void;
    }[]) {
      if (isHeld) handle.ref();
      else handle.unref();
    }
    if (!isHeld) this.#idleTimer = setTimeout(() => this.#giveUp(idleEnd), this.#idleMs).unref();
  }

  #receive(child: ChildProcessWithoutNullStreams, chunk: string): void {
    if (child !== this.#child) return;
    this.#received += chunk;
    for (;;) {
      const endsAt = this.#received.startsWith("end\n") ? 0 : this.#received.indexOf("\nend\n") + 1;
      if (endsAt === 0 && !this.#received.startsWith("end\n")) break;
      const lines = this.#received.slice(0, endsAt).split("\n").slice(0, -1);
      this.#received = this.#received.slice(endsAt + 4);
      this.#settle(lines);
    }
    if (this.#pending.length === 0 && this.#child === child) this.#hold(child, false);
  }

  #settle(lines: readonly string[]): void {
    const job = this.#pending.shift();
    if (job === undefined || lines.length !== job.operations.length + 1) {
      if (job !== undefined) this.#pending.unshift(job);
      this.#giveUp(new NetloomError("UNAVAILABLE", "the namespace worker's answer is not understood"));
      return;
    }
    clearTimeout(job.timer);
    const failedAt = lines.findIndex((line) => !/^0( |$)/.test(line));
    if (failedAt >= 0) job.reject(jobFailed(job, failedAt, Number(lines[failedAt])));
    else job.resolve(lines.slice(1).map((line) => Buffer.from(line.slice(2), "hex")));
  }

  #giveUp(error: NetloomError): void {
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGKILL");
    this.#lose(child, error);
  }

  #lose(child: ChildProcessWithoutNullStreams, error: NetloomError): void {
    if (child !== this.#child) return;
    this.#hold(child, false);
    clearTimeout(this.#idleTimer);
    this.#child = undefined;
    for (const job of this.#pending.splice(0)) {
      clearTimeout(job.timer);
      job.reject(error);
    }
  }
}

function notStarted(error: NodeJS.ErrnoException): NetloomError {
  const reason = error.code === "ENOENT" ? "perl is not installed: apt-get install perl-base" : errorText(error);
  return new NetloomError("UNAVAILABLE", reason, {}, error);
}

function formatJob({ namespace, operations }: NamespaceJob): string {
  const enter = `enter ${namespace === undefined ? "-" : namespacePath(namespace)}`;
  return `${[enter, ...operations.map(formatOperation), "end"].join("\n")}\n`;
}

/** Nothing in a line may be able to end it. */
function formatOperation(operation: NamespaceOperation): string {
  if (operation.kind === "netlink") {
    const { bytes, indexAt, namespaceAt } = operation.message;
    const index = indexAt === undefined ? [] : ["index", indexAt.offset, checked(indexAt.device)];
    const file = namespaceAt === undefined ? [] : ["file", namespaceAt.offset, namespacePath(namespaceAt.namespace)];
    return ["nl", bytes.toString("hex"), ...index, ...file].join(" ");
  }
  if (operation.kind === "netfilter") return `nf ${operation.message.bytes.toString("hex")}`;
  if (operation.kind === "softwareChecksums") return `soft ${checked(operation.device)}`;
  if (operation.kind === "frames")
    return ["frame", checked(operation.device), ...operation.frames.map((frame) => frame.toString("hex"))].join(" ");
  if (operation.kind === "sysctl") return `set /proc/sys/${checked(operation.name)} ${checked(String(operation.value))}`;
  if (operation.kind === "renameNamespace") return `move ${namespacePath(operation.name)} ${namespacePath(operation.to)}`;
  return `${operation.kind === "makeNamespace" ? "make" : "drop"} ${namespacePath(operation.name)}`;
}

function checked(word: string): string {
  if (/^[A-Za-z0-9_./:-]{1,200}$/.test(word) && !word.includes("..")) return word;
  throw new NetloomError("INVALID", `not a word for the namespace worker: ${JSON.stringify(word.slice(0, 64))}`);
}

function jobFailed({ namespace, operations }: NamespaceJob, failedAt: number, errno: number): NetloomError {
  const operation = operations[failedAt - 1];
  const words = operation === undefined ? `entering namespace ${namespace ?? "-"}` : `"${operationText(operation)}"`;
  return new NetloomError("COMMAND_FAILED", `${words} failed: ${errnoText(errno)}`, { namespace, errno });
}
