// One connection to a bus, as a client that calls and listens. Nobody may call it: what is a call is not answered.
import { connect, type Socket } from "node:net";
import { NetloomError } from "../base/errors.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";
import { type DBusMessage, decodeMessage, encodeCall, type MethodCall, splitMessages } from "./dbus-message.ts";
import type { DBusValue } from "./dbus-values.ts";

export interface ConnectionOptions {
  readonly socketPath: string;
  readonly timers: Timers;
  readonly onSignal: (message: DBusMessage) => void;
  /** Once, when it is over for any reason but `close`. */
  readonly onLost: (reason: string) => void;
}

interface Pending {
  readonly resolve: (body: readonly DBusValue[]) => void;
  readonly reject: (error: NetloomError) => void;
  readonly cancelTimer: CancelTimer;
}

const handshakeMs = 3000;
const answerLimitBytes = 512;
const pendingLimit = 4096;

/** The bus itself, as a peer. */
export const busDriver = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

export class DBusConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #pending = new Map<number, Pending>();
  #serial = 0;
  #buffer: Buffer;
  #isOver = false;

  /** Signs in as the user of this process and says hello. Rejects with UNAVAILABLE or TIMEOUT. */
  static async open(options: ConnectionOptions): Promise<DBusConnection> {
    const { socket, rest } = await signIn(options);
    const connection = new DBusConnection(socket, rest, options);
    try {
      await connection.call({ ...busDriver, member: "Hello" }, handshakeMs);
      return connection;
    } catch (thrown) {
      connection.close();
      throw thrown;
    }
  }

  private constructor(socket: Socket, rest: Buffer, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#buffer = rest;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#lose(error.message));
    socket.on("close", () => this.#lose("closed by the bus"));
  }

  /**
   * The values of the answer. Rejects with NOT_FOUND when the peer answers with an error (or is not there), TIMEOUT,
   * or UNAVAILABLE when the connection is lost.
   */
  async call(call: MethodCall, timeoutMs: number): Promise<readonly DBusValue[]> {
    if (this.#isOver || this.#pending.size >= pendingLimit) {
      throw new NetloomError("UNAVAILABLE", this.#isOver ? "lease bus: connection lost" : "lease bus: too many calls");
    }
    this.#serial = this.#serial >= 0xffff_fff0 ? 1 : this.#serial + 1;
    const serial = this.#serial;
    const answer = new Promise<readonly DBusValue[]>((resolve, reject) => {
      const cancelTimer = this.#options.timers.after(timeoutMs, () => {
        this.#pending.delete(serial);
        reject(new NetloomError("TIMEOUT", `lease bus: no answer to ${call.member} within ${timeoutMs} ms`));
      });
      this.#pending.set(serial, { resolve, reject, cancelTimer });
    });
    this.#socket.write(encodeCall(call, serial));
    return answer;
  }

  close(): void {
    this.#end("closed");
  }

  #receive(chunk: Buffer): void {
    try {
      const { messages, rest } = splitMessages(this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]));
      this.#buffer = rest;
      for (const bytes of messages) this.#handle(decodeMessage(bytes));
    } catch (thrown) {
      this.#lose(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  #handle(message: DBusMessage): void {
    if (message.kind === "signal") this.#options.onSignal(message);
    if (message.kind !== "return" && message.kind !== "error") return;
    const serial = message.replySerial ?? 0;
    const pending = this.#pending.get(serial);
    if (pending === undefined) return;
    this.#pending.delete(serial);
    pending.cancelTimer();
    if (message.kind === "return") pending.resolve(message.body);
    else
      pending.reject(
        new NetloomError("NOT_FOUND", `lease bus: ${message.errorName} ${String(message.body[0] ?? "")}`.slice(0, 300)),
      );
  }

  #lose(reason: string): void {
    if (this.#end(reason)) this.#options.onLost(reason);
  }

  #end(reason: string): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#socket.destroy();
    for (const { reject, cancelTimer } of this.#pending.values()) {
      cancelTimer();
      reject(new NetloomError("UNAVAILABLE", `lease bus: connection lost: ${reason}`));
    }
    this.#pending.clear();
    return true;
  }
}

/** SASL, as far as a bus on a Unix socket has it: the kernel says who we are. */
async function signIn({ socketPath, timers }: ConnectionOptions): Promise<{ readonly socket: Socket; readonly rest: Buffer }> {
  const socket = connect(socketPath);
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
  let cancelTimer: CancelTimer = () => {};
  try {
    const rest = await new Promise<Buffer>((resolve, reject) => {
      const fail = (reason: string): void => reject(new NetloomError("UNAVAILABLE", `lease bus: ${reason}`));
      cancelTimer = timers.after(handshakeMs, () => fail(`no answer within ${handshakeMs} ms`));
      let answer = Buffer.alloc(0);
      socket.once("connect", () => socket.write(`\0AUTH EXTERNAL ${uid}\r\n`));
      socket.on("error", (error) => fail(error.message));
      socket.on("close", () => fail("hung up"));
      socket.on("data", (chunk) => {
        answer = Buffer.concat([answer, chunk]);
        const end = answer.indexOf("\r\n");
        if (end < 0 && answer.length > answerLimitBytes) fail("its answer is too long");
        if (end < 0) return;
        if (answer.toString("latin1", 0, 3) === "OK ") resolve(answer.subarray(end + 2));
        else fail(`signing in was refused: ${JSON.stringify(answer.toString("latin1", 0, Math.min(end, 100)))}`);
      });
    });
    socket.removeAllListeners();
    socket.write("BEGIN\r\n");
    return { socket, rest };
  } catch (thrown) {
    socket.removeAllListeners();
    socket.on("error", () => {});
    socket.destroy();
    throw thrown;
  } finally {
    cancelTimer();
  }
}
