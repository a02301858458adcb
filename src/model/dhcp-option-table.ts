// The DHCP options that have a name, as dnsmasq 2.90 knows them, and what their values look like. An option that is not
// here can be given by its number.

/**
 * `addresses`: of the option's IP version, joined by commas. `number1`, `number2`, `number4`: decimal, of that many bytes.
 * `time`: decimal seconds, or with a unit. `text`: as it stands. `texts`, `domains`: joined by commas. `any`: bytes in hex with
 * colons, a number, addresses or (IPv4) networks joined by commas, else text. `bytes`: those, but no number.
 */
export type OptionValueKind =
  | "addresses"
  | "number1"
  | "number2"
  | "number4"
  | "time"
  | "text"
  | "texts"
  | "domains"
  | "addresses-or-domains"
  | "bytes"
  | "any";

export interface KnownOption {
  readonly name: string;
  readonly code: number;
  readonly kind: OptionValueKind;
  /** Some servers, all or older ones, take it only by its number. */
  readonly isOnlyNumber: boolean;
}

type Group = readonly (readonly [kind: OptionValueKind, options: string])[];

const groups4: Group = [
  [
    "addresses",
    `1 netmask 3 router 6 dns-server 7 log-server 9 lpr-server 16 swap-server 21 policy-filter 32 router-solicitation
     33 static-route 41 nis-server 42 ntp-server 44 netbios-ns 45 netbios-dd 48 x-windows-fs 49 x-windows-dm 65 nis+-server
     68 mobile-ip-home 69 smtp-server 70 pop3-server 71 nntp-server 74 irc-server 150 tftp-server-address
     28 broadcast* 255 server-ip-address`,
  ],
  [
    "number1",
    `19 ip-forward-enable 20 non-local-source-routing 23 default-ttl 27 all-subnets-local 31 router-discovery
     34 trailer-encapsulation 36 ethernet-encap 37 tcp-ttl 46 netbios-nodetype`,
  ],
  ["number2", "13 boot-file-size 22 max-datagram-reassembly 26 mtu 93 client-arch"],
  ["number4", "2 time-offset 35 arp-timeout 38 tcp-keepalive 108 ipv6-only*"],
  ["time", "58 T1 59 T2"],
  ["bytes", "43 vendor-encap*"],
  [
    "text",
    `15 domain-name 17 root-path 18 extension-path 40 nis-domain 64 nis+-domain 66 tftp-server 67 bootfile-name
     12 hostname* 100 posix-timezone* 101 tzdb-timezone*`,
  ],
  ["domains", "119 domain-search"],
  ["addresses-or-domains", "120 sip-server"],
  [
    "any",
    `47 netbios-scope 60 vendor-class 77 user-class 80 rapid-commit 94 client-interface-id 97 client-machine-id
     114 captive-portal* 121 classless-static-route 125 vendor-id-encap`,
  ],
];

const groups6: Group = [
  ["addresses", "22 sip-server 23 dns-server 27 nis-server 28 nis+-server 31 sntp-server"],
  ["domains", "21 sip-server-domain 24 domain-search 29 nis-domain 30 nis+-domain"],
  ["time", "32 information-refresh-time"],
  ["text", "41 posix-timezone* 42 tzdb-timezone* 59 bootfile-url"],
  ["texts", "15 user-class* 16 vendor-class* 60 bootfile-param"],
  ["addresses-or-domains", "56 ntp-server"],
  // A text, but a server that does not know it yet goes by the look of the value.
  ["any", "103 captive-portal*"],
];

function readGroups(groups: Group): readonly KnownOption[] {
  return groups.flatMap(([kind, text]) =>
    [...text.matchAll(/(\d+) ([^\s*]+)(\*?)/g)].map(([, code = "", name = "", mark]) => ({
      name,
      code: Number(code),
      kind,
      isOnlyNumber: mark === "*",
    })),
  );
}

const options = { 4: readGroups(groups4), 6: readGroups(groups6) } as const;
const byName = {
  4: new Map(options[4].map((option) => [option.name.toLowerCase(), option])),
  6: new Map(options[6].map((option) => [option.name.toLowerCase(), option])),
} as const;
const byCode = {
  4: new Map(options[4].map((option) => [option.code, option])),
  6: new Map(options[6].map((option) => [option.code, option])),
} as const;

// Options by which client and server run the protocol itself (message type, server identifier, lease time and their like): an
// answer with another value of one of them would be no answer to the client.
const protocolCodes = {
  4: new Set([0, 50, 51, 52, 53, 54, 55, 56, 57, 61, 81, 82, 91, 92, 118]),
  6: new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 17, 18, 19, 20, 25, 26, 39]),
} as const;

export const findOptionByName = (ipVersion: 4 | 6, name: string): KnownOption | undefined =>
  byName[ipVersion].get(name.toLowerCase());

export const findOptionByCode = (ipVersion: 4 | 6, code: number): KnownOption | undefined => byCode[ipVersion].get(code);

export const isProtocolCode = (ipVersion: 4 | 6, code: number): boolean => protocolCodes[ipVersion].has(code);
