// Names of IP protocols that people use in rules of security groups, and their numbers.

const numbers = {
  hopopt: 0,
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  egp: 8,
  udp: 17,
  dccp: 33,
  "ipv6-encap": 41,
  "ipv6-route": 43,
  "ipv6-frag": 44,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  "ipv6-icmp": 58,
  icmpv6: 58,
  "ipv6-nonxt": 59,
  "ipv6-opts": 60,
  ospf: 89,
  vrrp: 112,
  pgm: 113,
  sctp: 132,
  udplite: 136,
} as const;

const byName = new Map<string, number>(Object.entries(numbers));

export const protocolNames: readonly string[] = [...byName.keys()];

/** Of a name in lower case, or of 0 to 255 in digits; `undefined` for everything else. */
export function protocolNumber(text: string): number | undefined {
  if (!/^\d{1,3}$/.test(text)) return byName.get(text);
  const number = Number(text);
  return number <= 255 ? number : undefined;
}

const withPorts = new Set<number>([numbers.tcp, numbers.udp, numbers.dccp, numbers.sctp, numbers.udplite]);

export const hasPorts = (protocol: number): boolean => withPorts.has(protocol);

export const isIcmp = (protocol: number): boolean => protocol === numbers.icmp || protocol === numbers["ipv6-icmp"];

const headersOfIpv6 = new Set<number>([41, 43, 44, 58, 59, 60]);

/** There is none of it in an IPv4 packet that a rule could be about. */
export const isOfIpv6Only = (protocol: number): boolean => headersOfIpv6.has(protocol);
