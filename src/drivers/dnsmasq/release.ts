// Leases that must go: dnsmasq keeps an address from its new owner as long as it knows a lease of the old one. A client
// can give its lease back (DHCPRELEASE); so this gives it back in the client's name, from inside the namespace.
import type { DnsmasqLease } from "../../linux/dnsmasq-leases.ts";
import { type CommandRunner, runChecked } from "../../linux/command-runner.ts";
import { namespacePath } from "../../linux/netns.ts";
import { NetloomError } from "../../base/errors.ts";

const bytesOfAddress = (address: string): Buffer => Buffer.from(address.split(".").map(Number));
const bytesOfHex = (text: string): Buffer => Buffer.from(text.replaceAll(":", ""), "hex");

/** A DHCPRELEASE (RFC 2131 §4.4.4) of one IPv4 lease. */
export function buildRelease(lease: DnsmasqLease, serverAddress: string, transactionId: number): Buffer {
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
 * Constant text; the device is $ARGV[0], each input line is `<server address> <packet in hex>`. Bound to the device,
 * because dnsmasq goes by the interface that a packet came in on. perl-base is there on every Debian.
 */
const sendScript = `
use Socket;
socket(S, PF_INET, SOCK_DGRAM, 17) or die "socket: $!\\n";
setsockopt(S, SOL_SOCKET, 25, pack("Z16", $ARGV[0])) or die "bind to $ARGV[0]: $!\\n";
while (<STDIN>) {
  my ($server, $hex) = split;
  send(S, pack("H*", $hex), 0, pack_sockaddr_in(67, inet_aton($server))) or die "send: $!\\n";
}
`;

export interface ReleaseTarget {
  readonly runner: CommandRunner;
  readonly namespace: string;
  readonly interfaceName: string;
}

/** One child for all of them. The packets are on dnsmasq's socket when this returns; whether it obeyed is for a look at its file. */
export async function sendReleases(
  target: ReleaseTarget,
  releases: readonly { readonly lease: DnsmasqLease; readonly serverAddress: string }[],
): Promise<void> {
  const lines = releases.map(({ lease, serverAddress }, index) => {
    return `${serverAddress} ${buildRelease(lease, serverAddress, index + 1).toString("hex")}\n`;
  });
  const argv = ["nsenter", `--net=${namespacePath(target.namespace)}`, "perl", "-e", sendScript, target.interfaceName];
  await runChecked(target.runner, argv, { stdin: lines.join("") });
}
