// Leases that must go, where no message bus leads to dnsmasq: it keeps an address from its new owner as long as it knows a
// lease of the old one. A client can give its lease back; so this gives it back in the client's name, from inside the namespace.
import type { DnsmasqLease } from "../../linux/dnsmasq-leases.ts";
import { type CommandRunner, runChecked } from "../../linux/command-runner.ts";
import { namespacePath } from "../../linux/netns.ts";
import { NetloomError } from "../../base/errors.ts";

const bytesOfAddress = (address: string): Buffer => Buffer.from(address.split(".").map(Number));
const bytesOfHex = (text: string): Buffer => Buffer.from(text.replaceAll(":", ""), "hex");

/** A DHCPRELEASE (RFC 2131 §4.4.4) of one IPv4 lease. */
export function buildRelease4(lease: DnsmasqLease, serverAddress: string, transactionId: number): Buffer {
  if (lease.ipVersion !== 4 || lease.macAddress === null) {
    throw new NetloomError("INVALID", `no DHCPRELEASE can be made for ${lease.ipAddress}`);
  }
  const header = Buffer.alloc(240);
  // Request from Ethernet, six bytes of address, no relay.
  header.set([1, 1, 6, 0]);
  header.writeUInt32BE(transactionId, 4);
  bytesOfAddress(lease.ipAddress).copy(header, 12);
  bytesOfHex(lease.macAddress).copy(header, 28);
  header.writeUInt32BE(0x63825363, 236);
  const clientId = lease.clientId === null ? Buffer.alloc(0) : bytesOfHex(lease.clientId);
  return Buffer.concat([
    header,
    Buffer.from([53, 1, 7, 54, 4]),
    bytesOfAddress(serverAddress),
    clientId.length === 0 ? Buffer.alloc(0) : Buffer.from([61, clientId.length]),
    clientId,
    Buffer.from([255]),
  ]);
}

/**
 * A DHCPREQUEST (RFC 2131 §4.3.2) of a client that nobody knows, answering an OFFER of the server with this address: any other
 * server has to be silent, and an authoritative dnsmasq is not.
 */
export function buildRefusable(serverAddress: string, transactionId: number): Buffer {
  const header = Buffer.alloc(240);
  header.set([1, 1, 6, 0]);
  header.writeUInt32BE(transactionId, 4);
  // Locally administered, so nobody's; answers by broadcast.
  header.set([0x80], 10);
  header.set([0x02, 0x6e, 0x6c], 28);
  header.writeUIntBE(transactionId & 0xff_ffff, 31, 3);
  header.writeUInt32BE(0x63825363, 236);
  const address = bytesOfAddress(serverAddress);
  const options = [Buffer.from([53, 1, 3, 50, 4]), address, Buffer.from([54, 4]), address, Buffer.from([255])];
  return Buffer.concat([header, ...options]);
}

const option6 = (code: number, value: Uint8Array): Buffer => {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(code, 0);
  header.writeUInt16BE(value.length, 2);
  return Buffer.concat([header, value]);
};

/**
 * A RELEASE (RFC 8415 §18.2.7) of one DHCPv6 lease, with the numbers that the client used: its DUID and its IAID.
 *
 * @param serverDuid in hex with colons
 */
export function buildRelease6(lease: DnsmasqLease, serverDuid: string, transactionId: number): Buffer {
  const identity = /^(T?)(\d+)$/.exec(lease.text.split(/\s+/)[1] ?? "");
  if (lease.ipVersion !== 6 || lease.clientId === null || identity === null) {
    throw new NetloomError("INVALID", `no DHCPv6 release can be made for ${lease.ipAddress}`);
  }
  const header = Buffer.alloc(4);
  header.writeUInt32BE(transactionId & 0xff_ffff, 0);
  header.writeUInt8(8, 0);
  const iaid = Buffer.alloc(4);
  iaid.writeUInt32BE(Number(identity[2]) >>> 0, 0);
  // Lifetimes of zero: the client wants nothing any more.
  const address = option6(5, Buffer.concat([bytesOfIpv6(lease.ipAddress), Buffer.alloc(8)]));
  const isTemporary = identity[1] === "T";
  const association = Buffer.concat([iaid, isTemporary ? Buffer.alloc(0) : Buffer.alloc(8), address]);
  return Buffer.concat([
    header,
    option6(1, bytesOfHex(lease.clientId)),
    option6(2, bytesOfHex(serverDuid)),
    option6(isTemporary ? 4 : 3, association),
  ]);
}

function bytesOfIpv6(address: string): Buffer {
  const [left = "", right] = address.split("::");
  const words = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const [before, after] = [words(left), words(right ?? "")];
  const hex = (all: readonly string[]): string => all.map((word) => word.padStart(4, "0")).join("");
  const zeros = "0000".repeat(8 - before.length - after.length);
  return Buffer.from(`${hex(before)}${zeros}${hex(after)}`, "hex");
}

/**
 * Constant text; the device is $ARGV[0], each input line is `<destination> <packet in hex>`. Bound to the device, because
 * dnsmasq goes by the interface that a packet came in on. perl-base is there on every Debian.
 */
const sendScript = `
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);
my %sockets;
sub on_device {
  my ($family) = @_;
  return $sockets{$family} if $sockets{$family};
  socket(my $s, $family, SOCK_DGRAM, 17) or die "socket: $!\\n";
  setsockopt($s, SOL_SOCKET, 25, pack("Z16", $ARGV[0])) or die "bind to $ARGV[0]: $!\\n";
  return $sockets{$family} = $s;
}
while (<STDIN>) {
  my ($to, $hex) = split;
  my $is6 = $to =~ /:/;
  my $s = on_device($is6 ? AF_INET6 : PF_INET);
  my $where = $is6 ? pack_sockaddr_in6(547, inet_pton(AF_INET6, $to)) : pack_sockaddr_in(67, inet_aton($to));
  send($s, pack("H*", $hex), 0, $where) or die "send: $!\\n";
}
`;

/** Where every DHCPv6 server on the link listens, the one of this namespace too. */
export const allServers6 = "ff02::1:2";

export interface ReleaseTarget {
  readonly runner: CommandRunner;
  readonly namespace: string;
  readonly interfaceName: string;
}

export interface ReleasePacket {
  /** The server's own address; for DHCPv6 `allServers6`. */
  readonly destination: string;
  readonly bytes: Buffer;
}

/** One child for all of them. The packets are on dnsmasq's sockets when this returns; whether it obeyed is for a look at its file. */
export async function sendReleases(target: ReleaseTarget, packets: readonly ReleasePacket[]): Promise<void> {
  const lines = packets.map(({ destination, bytes }) => `${destination} ${bytes.toString("hex")}\n`);
  const argv = ["nsenter", `--net=${namespacePath(target.namespace)}`, "perl", "-e", sendScript, target.interfaceName];
  await runChecked(target.runner, argv, { stdin: lines.join("") });
}
