// The rules of every router, the same for all; what varies is in sets and maps. One line of nft's language: one transaction.
import { floatingIpObjects, routerMetadataPort as metadataPort, routerTable } from "../l3-layout.ts";
import type { RouterSets } from "./router-sets.ts";

const ownObjects = [
  "set gw_ip { type ipv4_addr; }",
  "map gw_src { type ifname : ipv4_addr; }",
  "map hair_src { type ifname : ipv4_addr; }",
  "set scope_direct { type ifname; }",
  "set scope_drop { type nf_proto . ifname . ifname; }",
];

const floatingObjects = Object.values(floatingIpObjects).map(
  ({ kind, name, type, isInterval }) => `${kind} ${name} { type ${type};${isInterval ? " flags interval;" : ""} }`,
);

const withPorts = "meta l4proto { tcp, udp, dccp, sctp }";
const toPort = "dnat ip to ip daddr . meta l4proto . th dport map";
const isPair = "ct original ip daddr . ct reply ip saddr @fip_pair return";
const isIcmpPair = "ct original ip daddr . meta l4proto . ct reply ip saddr @pf_icmp_pair return";

/**
 * Order within a chain matters. `c_guard`: before anything is translated, a packet of a flow that was translated must still have
 * the elements by which it was; without them it ends here, so taking elements away cuts flows. `c_scope`: what was translated has
 * an address of the other side's scope; what was not must not cross. No marks: postrouting knows where a packet came in.
 */
const chains: Readonly<Record<string, readonly string[]>> = {
  c_pf: [
    `${withPorts} ${toPort} @pf`,
    `${withPorts} ${toPort} @pf_range`,
    `${withPorts} ${toPort} @pf_keep`,
    "meta l4proto icmp dnat ip to ip daddr . meta l4proto map @pf_icmp",
  ],
  c_hair: ['iifname "qg-*" accept', "snat ip to ip saddr map @fip_out", "snat ip to oifname map @hair_src fully-random"],
  c_guard_in: [
    isPair,
    "ip daddr . meta l4proto . th dport . ct reply ip saddr @pf_seen return",
    "ip daddr . meta l4proto . th dport . ct reply ip saddr @pf_seen_range return",
    isIcmpPair,
    "ip daddr 169.254.169.254 return",
    "ct state related return",
    "drop",
  ],
  c_guard_back: [
    isPair,
    "ct original ip daddr . meta l4proto . ip saddr . th sport @pf_back return",
    "ct original ip daddr . meta l4proto . ip saddr . th sport @pf_back_range return",
    isIcmpPair,
    "ct state related return",
    "drop",
  ],
  c_guard_snat: [
    "ct reply ip daddr . ct original ip saddr @fip_pair return",
    "ct reply ip daddr @gw_ip return",
    "ct state related return",
    "drop",
  ],
  c_guard: [
    "type filter hook prerouting priority mangle; policy accept",
    "meta nfproto ipv4 ct status dnat ct direction original jump c_guard_in",
    "meta nfproto ipv4 ct status dnat ct direction reply jump c_guard_back",
    "meta nfproto ipv4 ct status snat jump c_guard_snat",
  ],
  c_pre: [
    "type nat hook prerouting priority dstnat; policy accept",
    `iifname "qr-*" ip daddr 169.254.169.254 tcp dport 80 redirect to :${metadataPort}`,
    `iifname "qr-*" ip6 daddr fe80::a9fe:a9fe tcp dport 80 redirect to :${metadataPort}`,
    "dnat ip to ip daddr map @fip_in",
    "meta nfproto ipv4 jump c_pf",
  ],
  c_out: [
    "type nat hook output priority -100; policy accept",
    "dnat ip to ip daddr map @fip_in",
    "meta nfproto ipv4 jump c_pf",
  ],
  c_post: [
    "type nat hook postrouting priority srcnat; policy accept",
    "meta nfproto ipv6 accept",
    'oifname != "qg-*" ct status dnat goto c_hair',
    'oifname != "qg-*" accept',
    "snat ip to ip saddr map @fip_out",
    "iifname @scope_direct accept",
    "snat ip to oifname map @gw_src fully-random",
  ],
  c_input: [
    "type filter hook input priority filter; policy accept",
    // Not from outside: a floating IP may lead to an address of the router itself.
    `iifname "qr-*" tcp dport ${metadataPort} ct status dnat accept`,
    `tcp dport ${metadataPort} drop`,
  ],
  c_forward: ["type filter hook forward priority filter; policy accept", "ip daddr 169.254.169.254 drop"],
  c_scope: [
    "type filter hook postrouting priority srcnat + 10; policy accept",
    "ct direction original ct status ! snat,dnat meta nfproto . iifname . oifname @scope_drop drop",
  ],
};

export const noSets: RouterSets = { gw_ip: [], gw_src: [], hair_src: [], scope_direct: [], scope_drop: [] };

/** Chains that others jump to come first, as nft wants it. */
const chainTexts = Object.entries(chains).map(([name, rules]) => `chain ${name} { ${rules.join("; ")}; }`);

/** The whole table with the router's own elements. Only for a namespace that has no such table. */
export function createTableLine(sets: RouterSets): string {
  const objects = [...ownObjects, ...floatingObjects, ...chainTexts].map((text) => `${text};`);
  return `table inet ${routerTable} { ${objects.join(" ")} }${elementCommands(sets)}`;
}

/**
 * Chains as they must be, whatever was done to them; sets of others and their elements stay.
 *
 * @param present names of the chains that are there
 */
export function repairTableLine(sets: RouterSets, present: readonly string[]): string {
  const flushes = present.map((name) => `flush chain inet ${routerTable} ${name}; `);
  const strangers = present.filter((name) => !Object.hasOwn(chains, name));
  const deletes = strangers.map((name) => `delete chain inet ${routerTable} ${name}; `);
  const objects = [...ownObjects, ...floatingObjects, ...chainTexts].map((text) => `${text};`);
  const table = `table inet ${routerTable} { ${objects.join(" ")} }`;
  return `${flushes.join("")}${deletes.join("")}${table}; ${replaceSetsLine(sets)}`;
}

/** Own elements only: the chains are the same before and after. */
export function replaceSetsLine(sets: RouterSets): string {
  const flushes = setNames(sets).map((name) => `flush ${kindOf(name)} inet ${routerTable} ${name}`);
  return `${flushes.join("; ")}${elementCommands(sets)}`;
}

export const setNames = (sets: RouterSets): readonly (keyof RouterSets)[] =>
  // The cast: keys of an object of ours that has no others.
  Object.keys(sets) as (keyof RouterSets)[];

export const kindOf = (name: keyof RouterSets): "map" | "set" => (name === "gw_src" || name === "hair_src" ? "map" : "set");

function elementCommands(sets: RouterSets): string {
  return setNames(sets)
    .filter((name) => sets[name].length > 0)
    .map((name) => `; add element inet ${routerTable} ${name} { ${sets[name].join(", ")} }`)
    .join("");
}

/** Changes whenever the rules of this program do. */
export const rulesetText = createTableLine(noSets);
