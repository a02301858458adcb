// What of a guest's headers goes on to the upstream, and what is said in our own name. Pure.
import { createHmac } from "node:crypto";
import type { NetworkId } from "../model/ids.ts";
import type { Instance } from "./instance.ts";

/** Name and value in turns, as Node gives them: repeated headers and their spelling stay. */
export type RawHeaders = readonly string[];

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  // This proxy has told the guest to go on already.
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** By these the upstream knows who asks; from a guest they are lies. */
const identity = /^x-(?:neutron|quantum|ovn|instance|tenant|project|metadata-provider)(?:-|$)/;

const forwardedFor = "x-forwarded-for";

/** Upstreams that make variables of header names take `_` for `-`. */
const plain = (name: string): string => name.toLowerCase().replaceAll("_", "-");

function* pairs(raw: RawHeaders): Generator<readonly [string, string]> {
  for (let index = 0; index + 1 < raw.length; index += 2) yield [raw[index] ?? "", raw[index + 1] ?? ""];
}

/** Header names that `Connection` says are for the next hop only. */
function namedByConnection(raw: RawHeaders): ReadonlySet<string> {
  const values = [...pairs(raw)].filter(([name]) => plain(name) === "connection").map(([, value]) => value);
  return new Set(values.flatMap((value) => value.split(",")).map((name) => plain(name.trim())));
}

/** Without what concerns only one connection. */
export function endToEndHeaders(raw: RawHeaders): [string, string][] {
  const named = namedByConnection(raw);
  return [...pairs(raw)]
    .filter(([name]) => !hopByHop.has(plain(name)) && !named.has(plain(name)))
    .map(([name, value]) => [name, value]);
}

/** A guest that claims to be of a network and of a router contradicts itself; nobody honest sends either. */
export function claimsBothIds(raw: RawHeaders): boolean {
  const names = [...pairs(raw)].map(([name]) => plain(name));
  const claims = (kind: string): boolean =>
    names.some((name) => /^x-(?:neutron|quantum)-/.test(name) && name.endsWith(`-${kind}-id`));
  return claims("network") && claims("router");
}

export interface Claim {
  readonly networkId: NetworkId;
  readonly routerId: string | undefined;
  readonly instance: Instance;
  /** Source address of the connection. */
  readonly source: string;
  /** Shared with the upstream; without one nothing is signed. */
  readonly secret: Buffer | undefined;
}

/** The guest's headers as they go upstream: exactly one of the two id headers is set, by us. */
export function upstreamHeaders(raw: RawHeaders, claim: Claim): [string, string][] {
  const { instance, source, secret } = claim;
  const passed = endToEndHeaders(raw).filter(([name]) => !identity.test(plain(name)));
  const before = passed.filter(([name]) => plain(name) === forwardedFor).map(([, value]) => value);
  const own: [string, string][] = [
    ["X-Forwarded-For", [...before, source].join(", ")],
    claim.routerId === undefined ? ["X-Neutron-Network-ID", claim.networkId] : ["X-Neutron-Router-ID", claim.routerId],
    ["X-Instance-ID", instance.id],
    ["X-Tenant-ID", instance.projectId],
  ];
  if (secret !== undefined) own.push(["X-Instance-ID-Signature", signInstance(secret, instance.id)]);
  return [...passed.filter(([name]) => plain(name) !== forwardedFor), ...own];
}

export function signInstance(secret: Buffer, instanceId: string): string {
  return createHmac("sha256", secret).update(instanceId).digest("hex");
}
