// The probe's process: started inside an instance's namespace, asks for addresses in the name of any MAC.
// Lines of JSON in on standard input, lines of JSON out on standard output; see probe.ts.
import dgram from "node:dgram";
import { createInterface } from "node:readline";
import { buildQuery, type DhcpReply, dhcpOption, formatAddress, parseReply } from "./packet.ts";

interface Command {
  readonly id: number;
  readonly mac: string;
  /** `offer`: DISCOVER until an OFFER comes. `lease`: the whole exchange. */
  /** … `request`: a REQUEST of the kind that `request` says, until an ACK or NAK comes. */
  readonly want: "offer" | "lease" | "request";
  readonly request?: ProbeRequest;
  readonly timeoutMs: number;
  /** A DISCOVER goes out this often until it is answered. */
  readonly everyMs: number;
}

export interface ProbeRequest {
  /**
   * As a client that asks its server for more time, that asks any server for it, that has been restarted with its old
   * address, or that answers an OFFER. Only `renew` is sent to one address.
   */
  readonly state: "renew" | "rebind" | "reboot" | "select";
  readonly address: string;
  /** `renew`: to whom, and needed; `select`: whose OFFER. */
  readonly serverId?: string;
}

interface Waiting {
  readonly command: Command;
  readonly transactionId: number;
  resend: NodeJS.Timeout;
  limit: NodeJS.Timeout;
  requested?: { readonly address: string; readonly serverId: string };
}

const waiting = new Map<number, Waiting>();
const socket = dgram.createSocket({ type: "udp4", reuseAddr: true });

function report(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function finish(entry: Waiting, result: Readonly<Record<string, unknown>>): void {
  clearInterval(entry.resend);
  clearTimeout(entry.limit);
  waiting.delete(entry.transactionId);
  report({ id: entry.command.id, atNs: process.hrtime.bigint().toString(), ...result });
}

function describe(reply: DhcpReply): Readonly<Record<string, unknown>> {
  const list = (code: number): string[] => {
    const bytes = reply.options.get(code) ?? Buffer.alloc(0);
    return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) =>
      formatAddress(bytes.subarray(index * 4, index * 4 + 4)),
    );
  };
  return {
    answer: reply.type,
    address: reply.address,
    serverId: list(dhcpOption.serverId)[0],
    routers: list(dhcpOption.router),
    dnsServers: list(dhcpOption.dnsServers),
    domain: reply.options.get(dhcpOption.domainName)?.toString("utf8").replace(/\0$/, ""),
    mtu: reply.options.get(dhcpOption.mtu)?.readUInt16BE(0),
    leaseSeconds: reply.options.get(dhcpOption.leaseSeconds)?.readUInt32BE(0),
  };
}

function transmit(entry: Waiting): void {
  const { mac, request } = entry.command;
  const { transactionId } = entry;
  if (request !== undefined) {
    const { state, address, serverId } = request;
    const isBound = state === "renew" || state === "rebind";
    const place = isBound ? { clientAddress: address } : { requestedAddress: address };
    const server = state === "select" && serverId !== undefined ? { serverId } : {};
    const destination = state === "renew" && serverId !== undefined ? serverId : "255.255.255.255";
    socket.send(buildQuery({ type: "request", mac, transactionId, ...place, ...server }), 67, destination);
    return;
  }
  const query =
    entry.requested === undefined
      ? buildQuery({ type: "discover", mac, transactionId: entry.transactionId })
      : buildQuery({
          type: "request",
          mac,
          transactionId: entry.transactionId,
          requestedAddress: entry.requested.address,
          serverId: entry.requested.serverId,
        });
  socket.send(query, 67, "255.255.255.255");
}

function onReply(packet: Buffer): void {
  const reply = parseReply(packet);
  const entry = reply === undefined ? undefined : waiting.get(reply.transactionId);
  if (reply === undefined || entry === undefined || reply.mac !== entry.command.mac) return;
  if (reply.type === "offer" && entry.command.want === "offer") {
    finish(entry, describe(reply));
  } else if (reply.type === "offer" && entry.requested === undefined) {
    entry.requested = {
      address: reply.address,
      serverId: formatAddress(reply.options.get(dhcpOption.serverId) ?? Buffer.alloc(4)),
    };
    transmit(entry);
  } else if (reply.type === "ack" || reply.type === "nak") {
    finish(entry, describe(reply));
  }
}

function start(command: Command): void {
  const transactionId = command.id >>> 0;
  const entry: Waiting = {
    command,
    transactionId,
    resend: setInterval(() => transmit(entry), command.everyMs),
    limit: setTimeout(() => finish(entry, { answer: "none" }), command.timeoutMs),
  };
  waiting.set(transactionId, entry);
  transmit(entry);
}

socket.on("message", onReply);
socket.bind(68, "0.0.0.0", () => {
  socket.setBroadcast(true);
  report({ ready: true });
});
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => start(JSON.parse(line) as Command));
lines.on("close", () => process.exit(0));
