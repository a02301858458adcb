// One long-lived `nft` in one network namespace: a change costs a pipe write and its answer, not a fork. Each line is one kernel
// transaction. After every line goes a query with a known answer, so all that comes before that answer belongs to the line.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { NetloomError } from "../base/errors.ts";
import { notInstalled } from "./command-runner.ts";
import { namespaceInode, namespacePath } from "./netns.ts";
import { type NftCommand, nftCommand } from "./nft-include.ts";

export interface NftShellOptions {
  /** Name of a namespace as ip-netns(8) keeps it. */
  readonly namespace: string;
  /** How long one line may take before nft is killed. */
  readonly timeoutMs?: number | undefined;
  /** Where nft is looked for; the PATH of this process unless told otherwise. */
  readonly searchPath?: string | undefined;
}

export interface NftRunOptions {
  /** For lines that nft needs more time for than for others. Counts from when the line is typed, not from when it was asked for. */
  readonly timeoutMs?: number | undefined;
}

interface Request extends NftRunOptions {
  readonly line: string;
  readonly resolve: (output: string) => void;
  readonly reject: (error: unknown) => void;
}

interface Running extends Request {
  readonly command: NftCommand;
  readonly timer: NodeJS.Timeout;
}

const marker = { query: "describe ip daddr\n", answer: "payload expression, datatype ipv4_addr " } as const;
const defaultTimeoutMs = 5_000;
/** Answers of large maps are long; what is longer than this is no answer. */
const outputLimit = 64 * 1024 * 1024;

export class NftShell {
  readonly #options: NftShellOptions;
  #namespace: string;
  readonly #waiting: Request[] = [];
  #child: ChildProcessWithoutNullStreams | undefined;
  /** Of the namespace in which the child is: the name may mean another one by now. */
  #inode: number | undefined;
  #running: Running | undefined;
  #received: string[] = [];
  #starts = 0;
  #isClosed = false;

  constructor(options: NftShellOptions) {
    namespacePath(options.namespace);
    this.#options = options;
    this.#namespace = options.namespace;
  }

  /** How often an nft was started. */
  get starts(): number {
    return this.#starts;
  }

  get isBusy(): boolean {
    return this.#running !== undefined || this.#waiting.length > 0;
  }

  /** The process inside the namespace, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Runs one line of nft's language as one transaction; lines run one after another, in the order of the calls.
   *
   * @returns what nft printed: JSON for `list …`, nothing for a change
   * @throws NetloomError COMMAND_FAILED with nft's words: nothing of the line was applied. TIMEOUT, or UNAVAILABLE when nft
   * ended: whether it was applied has to be looked up. NOT_FOUND when there is no such namespace. INVALID for what is not one line
   */
  run(line: string, { timeoutMs }: NftRunOptions = {}): Promise<string> {
    if (this.#isClosed) return Promise.reject(new NetloomError("UNAVAILABLE", "this nft shell was closed"));
    // A line break would start a second command, a backslash at the end makes nft wait for more, and these two words end it.
    if (/[\n\r]|\\\s*$|^\s*(quit|exit)\b|^\s*$/.test(line)) {
      return Promise.reject(new NetloomError("INVALID", `not a line for nft: ${JSON.stringify(line.slice(0, 64))}`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, timeoutMs, resolve, reject });
      this.#startNext();
    });
  }

  /** Its namespace has another name from now on, or will have in a moment. */
  rename(namespace: string): void {
    namespacePath(namespace);
    this.#namespace = namespace;
  }

  /** Starts nft, so that the first line does not wait for that. */
  warm(): void {
    this.#ensureChild();
  }

  /** Ends the child and waits for its end, which lets go of the namespace; what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    // Else this process may end while somebody waits here.
    if (child !== undefined) hold(child, true);
    const ended = child === undefined ? undefined : new Promise((resolve) => child.once("close", resolve));
    this.#dismiss(new NetloomError("UNAVAILABLE", "this nft shell was closed"));
    for (const { reject } of this.#waiting.splice(0)) reject(new NetloomError("UNAVAILABLE", "this nft shell was closed"));
    await ended;
  }

  /** Ends the child when its namespace is not the one of that name any more: a child inside would keep it alive. */
  leaveIfGone(): void {
    if (this.#child !== undefined && namespaceInode(this.#namespace) !== this.#inode) {
      this.#dismiss(new NetloomError("NOT_FOUND", `namespace ${this.#namespace} was removed`));
      this.#startNext();
    }
  }

  #startNext(): void {
    while (this.#running === undefined) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      try {
        this.leaveIfGone();
        this.#send(this.#ensureChild(), next);
      } catch (thrown) {
        next.reject(thrown);
      }
    }
  }

  #send(child: ChildProcessWithoutNullStreams, request: Request): void {
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs ?? defaultTimeoutMs;
    const late = new NetloomError("TIMEOUT", `nft in ${this.#namespace} did not answer within ${timeoutMs} ms`);
    const command = nftCommand(request.line);
    const timer = setTimeout(() => this.#lose(child, late), timeoutMs);
    this.#running = { ...request, command, timer };
    this.#received = [];
    hold(child, true);
    child.stdin.write(`${command.text}\n${marker.query}`);
  }

  #ensureChild(): ChildProcessWithoutNullStreams {
    if (this.#child !== undefined) return this.#child;
    const namespace = this.#namespace;
    const { searchPath = process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" } = this.#options;
    const inode = namespaceInode(namespace);
    if (inode === undefined) throw new NetloomError("NOT_FOUND", `there is no namespace ${namespace}`);
    // On two pipes an error could arrive after the marker's answer; so the shell joins them. Its text is fixed.
    const argv = [`--net=${namespacePath(namespace)}`, "sh", "-c", "exec nft -j -i 2>&1"];
    const child = spawn("nsenter", argv, { env: { PATH: searchPath, LC_ALL: "C" }, stdio: ["pipe", "pipe", "pipe"] });
    this.#starts += 1;
    this.#child = child;
    this.#inode = inode;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => this.#receive(child, chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => this.#receive(child, chunk));
    child.stdin.on("error", () => {});
    child.once("error", (error: NodeJS.ErrnoException) =>
      this.#lose(child, error.code === "ENOENT" ? notInstalled("nsenter") : error),
    );
    child.once("close", () => this.#lose(child, ended(namespace, this.#received.join(""))));
    hold(child, false);
    return child;
  }

  #receive(child: ChildProcessWithoutNullStreams, chunk: string): void {
    if (child !== this.#child) return;
    this.#received.push(chunk);
    // The answer is one short line at the very end, and may come in two pieces.
    if (!chunk.endsWith("\n")) return;
    const output = this.#received.length === 1 ? chunk : this.#received.join("");
    this.#received = [output];
    const lineStart = output.lastIndexOf("\n", output.length - 2) + 1;
    if (output.startsWith(marker.answer, lineStart)) this.#settle(child, output.slice(0, lineStart));
    else if (output.length > outputLimit) this.#lose(child, new NetloomError("UNAVAILABLE", "nft's answer has no end"));
  }

  #settle(child: ChildProcessWithoutNullStreams, output: string): void {
    const request = this.#running;
    if (request === undefined) {
      this.#lose(child, new NetloomError("UNAVAILABLE", "nft answered though nothing was asked"));
      return;
    }
    const error = errorIn(output, request.line, this.#namespace);
    if (error !== undefined) {
      // What an nft keeps of rules and sets is suspect after an error; a new one costs some milliseconds and looks again.
      this.#lose(child, error);
      return;
    }
    clearTimeout(request.timer);
    request.command.close();
    this.#running = undefined;
    this.#received = [];
    hold(child, false);
    request.resolve(output);
    this.#startNext();
  }

  #dismiss(error: unknown): void {
    const child = this.#child;
    const request = this.#running;
    this.#child = undefined;
    this.#running = undefined;
    this.#received = [];
    child?.kill("SIGKILL");
    if (request === undefined) return;
    clearTimeout(request.timer);
    request.command.close();
    request.reject(error);
  }

  /** The child is of no more use; the next line gets another. */
  #lose(child: ChildProcessWithoutNullStreams, error: unknown): void {
    if (child !== this.#child) return;
    this.#dismiss(error);
    this.#startNext();
  }
}

/** While nothing is under way the child does not keep this process alive. */
function hold(child: ChildProcessWithoutNullStreams, isHeld: boolean): void {
  // The casts: pipes to a child are sockets, which the types do not say.
  for (const handle of [child, child.stdin, child.stdout, child.stderr] as unknown as readonly {
    readonly destroyed?: boolean;
    ref(): void;
    unref(): void;
  }[]) {
    // The shell gives its standard error away; a closed socket would wait, with one more listener each time, to be opened.
    if (handle.destroyed === true) continue;
    if (isHeld) handle.ref();
    else handle.unref();
  }
}

function errorIn(output: string, line: string, namespace: string): NetloomError | undefined {
  const isAnswer = /^\s*list\s/.test(line) && output.startsWith("{");
  if (output === "" || isAnswer) return undefined;
  const words = (/Error: .*/.exec(output)?.[0] ?? output.trim()).slice(0, 2000);
  return new NetloomError("COMMAND_FAILED", `nft in ${namespace}: ${words}`, { namespace, line: line.slice(0, 500) });
}

function ended(namespace: string, output: string): NetloomError {
  if (/sh: .*nft: not found|exec: nft: not found/.test(output)) return notInstalled("nft");
  return new NetloomError("UNAVAILABLE", `nft in ${namespace} ended: ${output.trim().slice(0, 500)}`, { namespace });
}
