// Whether another DHCP server on the wire refuses clients that are not its own, as an authoritative dnsmasq does: asked on the
// wire, because what another host was told says nothing about what its server does.
import { randomInt } from "node:crypto";
import { type CommandRunner, runChecked } from "../../linux/command-runner.ts";
import { namespacePath } from "../../linux/netns.ts";
import { NetloomError } from "../../base/errors.ts";
import { buildRefusable } from "./release.ts";

const waitSeconds = 0.5;

/** Constant text; the device is $ARGV[0], the packet in hex $ARGV[1], the time to wait $ARGV[2]. Prints what comes back, in hex. */
const askScript = `
use Socket;
socket(my $s, PF_INET, SOCK_DGRAM, 17) or die "socket: $!\\n";
setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) && setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1) or die "options: $!\\n";
setsockopt($s, SOL_SOCKET, 25, pack("Z16", $ARGV[0])) or die "bind to $ARGV[0]: $!\\n";
bind($s, pack_sockaddr_in(68, INADDR_ANY)) or die "port 68: $!\\n";
send($s, pack("H*", $ARGV[1]), 0, pack_sockaddr_in(67, INADDR_BROADCAST)) or die "send: $!\\n";
my $left = $ARGV[2];
while ($left > 0) {
  my $ready = "";
  vec($ready, fileno($s), 1) = 1;
  (my $found, $left) = select($ready, undef, undef, $left);
  last if $found <= 0;
  defined recv($s, my $packet, 4096, 0) or last;
  print unpack("H*", $packet), "\\n";
}
`;

export interface AuthorityTarget {
  readonly runner: CommandRunner;
  readonly namespace: string;
  readonly interfaceName: string;
  /** Of our own server, which must not run yet. */
  readonly serverAddress: string;
}

/**
 * A server that starts beside an authoritative one would see its clients refused. Takes half a second.
 *
 * @throws UNAVAILABLE while there is one: the other host has not heard of us yet, or not obeyed
 */
export async function refuseBesideAuthority(target: AuthorityTarget): Promise<void> {
  const { runner, namespace, interfaceName, serverAddress } = target;
  const transactionId = randomInt(2 ** 32);
  const packet = buildRefusable(serverAddress, transactionId).toString("hex");
  const argv = [
    "nsenter",
    `--net=${namespacePath(namespace)}`,
    "perl",
    "-e",
    askScript,
    interfaceName,
    packet,
    `${waitSeconds}`,
  ];
  const answers = await runChecked(runner, argv);
  if (!answers.split("\n").some((line) => isRefusal(Buffer.from(line, "hex"), transactionId))) return;
  throw new NetloomError("UNAVAILABLE", "another DHCP server of the network is authoritative and refuses our clients");
}

/** A DHCPNAK to what was asked. */
function isRefusal(packet: Buffer, transactionId: number): boolean {
  if (packet.length < 243 || packet[0] !== 2 || packet.readUInt32BE(4) !== transactionId) return false;
  for (let at = 240; at + 2 < packet.length && packet[at] !== 255; at += packet[at] === 0 ? 1 : 2 + (packet[at + 1] ?? 0)) {
    if (packet[at] === 53) return packet[at + 2] === 6;
  }
  return false;
}
