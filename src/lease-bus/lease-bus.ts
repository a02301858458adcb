// The agent's side of the lease bus: hears that leases of a network changed, deletes leases, reads counters. What it hears is
// only ever a hint to look at the network's lease file; so a lost or a forged signal does no harm.
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { AddedLease, LeaseBusAccess, LeaseControl } from "../drivers/lease-control.ts";
import type { CommandRunner } from "../linux/command-runner.ts";
import type { NetworkId } from "../model/ids.ts";
import { backoffMs } from "../runtime/backoff.ts";
import type { CancelTimer, Timers } from "../runtime/timers.ts";
import { busAddress, busNamespace, busNameOf, busSocketPath, networkOfBusName } from "./bus-names.ts";
import { ensureBusProcess } from "./bus-process.ts";
import { busDriver, DBusConnection } from "./dbus-connection.ts";
import type { DBusMessage } from "./dbus-message.ts";
import type { DBusArgument, DBusValue } from "./dbus-values.ts";

export interface LeaseBusOptions {
  readonly stateDir: string;
  readonly runner: CommandRunner;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: () => number;
}

/** Fixed in dnsmasq's source, whatever name it takes on the bus. */
const serverPath = "/uk/org/thekelleys/dnsmasq";
const callMs = 2000;
const readersAtOnce = 32;
const reconnect = { firstMs: 100, maxMs: 5000 };

export class LeaseBus implements LeaseControl {
  readonly #options: LeaseBusOptions;
  readonly #socketPath: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #present = new Set<NetworkId>();
  readonly #listeners: ((id: NetworkId) => void)[] = [];
  #connection: DBusConnection | undefined;
  #cancelTimer: CancelTimer | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(options: LeaseBusOptions) {
    this.#options = options;
    this.#socketPath = busSocketPath(options.stateDir);
    this.#environment = { DBUS_SYSTEM_BUS_ADDRESS: busAddress(this.#socketPath) };
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Networks whose server is on the bus: changes of their leases are heard at once. */
  get reachable(): ReadonlySet<NetworkId> {
    return this.#present;
  }

  access(id: NetworkId): LeaseBusAccess {
    return { busName: busNameOf(id), environment: this.#environment };
  }

  /** Leases of the network changed, were repeated after a reload, or its server came to the bus. */
  onChange(listener: (id: NetworkId) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Starts the bus if none answers and connects. Never rejects: without a bus DHCP goes on, and it is tried again for as
   * long as the agent runs.
   */
  async start(): Promise<void> {
    await this.#connect();
  }

  /** The bus itself goes on. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#connection?.close();
    this.#connection = undefined;
    this.#present.clear();
  }

  async deleteLease(id: NetworkId, ipAddress: string): Promise<boolean | undefined> {
    const [hadLease] = (await this.#callServer(id, "DeleteDhcpLease", [ipAddress])) ?? [];
    return typeof hadLease === "boolean" ? hadLease : undefined;
  }

  async addLease(id: NetworkId, { ipAddress, macAddress }: AddedLease): Promise<boolean> {
    const nothing = new Uint8Array();
    // Name, client-id; no end; and what only DHCPv6 has.
    const answer = await this.#callServer(id, "AddDhcpLease", [ipAddress, macAddress, nothing, nothing, 0xffff_ffff, 0, false]);
    return answer !== undefined;
  }

  /** dnsmasq's own counters since its start (`dhcp_offer`, `dhcp_nak`, …); `undefined` when it is not on the bus. */
  async readMetrics(id: NetworkId): Promise<ReadonlyMap<string, number> | undefined> {
    const [pairs] = (await this.#callServer(id, "GetMetrics", [])) ?? [];
    if (!Array.isArray(pairs)) return undefined;
    return new Map(pairs.slice(0, countersLimit).flatMap((pair) => (isCounter(pair) ? [pair] : [])));
  }

  /** The counters of all servers on the bus, summed: a gauge, because they begin anew with each server. */
  async readTotals(): Promise<ReadonlyMap<string, number>> {
    const totals = new Map<string, number>();
    const waiting = [...this.#present];
    const lane = async (): Promise<void> => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
        for (const [name, value] of (await this.readMetrics(id)) ?? []) totals.set(name, (totals.get(name) ?? 0) + value);
      }
    };
    await Promise.all(Array.from({ length: readersAtOnce }, lane));
    return totals;
  }

  async #callServer(id: NetworkId, member: string, args: readonly DBusArgument[]): Promise<readonly DBusValue[] | undefined> {
    const connection = this.#connection;
    if (connection === undefined || !this.#present.has(id)) return undefined;
    const name = busNameOf(id);
    try {
      return await connection.call({ destination: name, path: serverPath, interface: name, member, args }, callMs);
    } catch (err) {
      this.#options.log.debug({ err, networkId: id, outcome: member }, "dnsmasq not reached over the lease bus");
      return undefined;
    }
  }

  async #connect(): Promise<void> {
    const { runner, stateDir, timers, log } = this.#options;
    let connection: DBusConnection | undefined;
    try {
      const outcome = await ensureBusProcess(runner, stateDir);
      connection = await DBusConnection.open({
        ...{ socketPath: this.#socketPath, timers },
        onSignal: (message) => this.#hear(message),
        onLost: (reason) => this.#lose(reason),
      });
      await this.#subscribe(connection);
      if (this.#isClosed) return connection.close();
      this.#connection = connection;
      this.#failures = 0;
      log.info({ outcome }, "lease bus connected");
      for (const id of this.#present) this.#tell(id);
    } catch (thrown) {
      connection?.close();
      this.#lose(errorText(thrown));
    }
  }

  async #subscribe(connection: DBusConnection): Promise<void> {
    const ask = (member: string, args: readonly string[]) => connection.call({ ...busDriver, member, args }, callMs);
    await Promise.all([
      ask("AddMatch", [`type='signal',path='${serverPath}'`]),
      ask("AddMatch", [
        `type='signal',sender='${busDriver.destination}',member='NameOwnerChanged',arg0namespace='${busNamespace}'`,
      ]),
    ]);
    const [names] = await ask("ListNames", []);
    for (const name of Array.isArray(names) ? names : []) {
      const id = typeof name === "string" ? networkOfBusName(name) : undefined;
      if (id !== undefined) this.#present.add(id);
    }
  }

  #hear({ interface: name, member, sender, body }: DBusMessage): void {
    if (sender === busDriver.destination && member === "NameOwnerChanged") return this.#noteOwner(body);
    if (!member.startsWith("DhcpLease")) return;
    const id = networkOfBusName(name);
    if (id !== undefined) this.#tell(id);
  }

  #noteOwner([name, , newOwner]: readonly DBusValue[]): void {
    const id = typeof name === "string" ? networkOfBusName(name) : undefined;
    if (id === undefined) return;
    if (newOwner === "") this.#present.delete(id);
    else this.#present.add(id);
    this.#tell(id);
  }

  #tell(id: NetworkId): void {
    for (const listener of this.#listeners) listener(id);
  }

  #lose(reason: string): void {
    const { log, timers, random } = this.#options;
    this.#connection?.close();
    this.#connection = undefined;
    this.#present.clear();
    if (this.#isClosed) return;
    this.#failures += 1;
    const fields = { reason: reason.split("\n", 1)[0], attempt: this.#failures };
    if (this.#failures === 1) log.warn(fields, "lease bus lost; leases are told by their files until servers are started anew");
    else log.debug(fields, "lease bus not reached");
    this.#cancelTimer?.();
    this.#cancelTimer = timers.after(backoffMs(this.#failures, reconnect, random ?? Math.random), () => void this.#connect());
  }
}

/** dnsmasq has 26; names go into the agent's metrics, so only plain ones are taken. */
const countersLimit = 100;

const isCounter = (pair: DBusValue): pair is [string, number] =>
  Array.isArray(pair) && typeof pair[0] === "string" && /^[a-z][a-z0-9_]{0,60}$/.test(pair[0]) && typeof pair[1] === "number";
