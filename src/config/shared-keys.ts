// Keys that several programs have, with one meaning.
import { isIP } from "node:net";
import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import { z } from "zod";
import { canonicalPath } from "../base/directories.ts";

export const host = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,128}$/, "must be a host name: letters, digits, dots, dashes")
  .default(() => hostname())
  .describe("Name of this machine, as in binding:host_id; the machine's host name when absent");

/** A timer that is asked for more fires at once; a week is more than anybody means. */
export const longestMs = 604_800_000;

/** The kernel takes 107 bytes for the path of a Unix socket, and the sockets inside have names of up to 27. */
const stateDirLimitBytes = 80;

export const stateDir = z
  .string()
  .refine(isAbsolute, "must be an absolute path")
  .transform(canonicalPath)
  .refine(
    (path) => Buffer.byteLength(path) <= stateDirLimitBytes,
    `must have at most ${stateDirLimitBytes} bytes: sockets are inside`,
  )
  .prefault("/var/lib/netloom")
  .describe("Directory of everything that this program keeps");

export const logLevel = z
  .enum(["debug", "info", "warn", "error", "silent"])
  .default("info")
  .describe("Least level that is logged");

export const listen = z
  .string()
  .transform((text, context) => {
    const [, address = "", portText = ""] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text) ?? [];
    const port = Number(portText);
    if (isIP(address) === 0 || portText === "" || port > 65535) {
      context.addIssue({ code: "custom", message: `must be <address>:<port>, not ${JSON.stringify(text)}` });
      return z.NEVER;
    }
    return { address, port };
  })
  .prefault("127.0.0.1:9696")
  .describe("Address and port of the REST API; [::1]:9696 for IPv6, port 0 for any free one");

export const allowedHosts = z
  .array(z.string().regex(/^[A-Za-z0-9_.:-]{1,255}$/, "must be names or addresses without ports"))
  .default([])
  .describe("Names by which clients reach the API, beside localhost and its addresses; others in Host are refused");

export const db = z
  .string()
  .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, "must be sqlite:<file> or postgres://…")
  .optional()
  .describe("sqlite:<file> or postgres://…; sqlite:<state_dir>/netloom.db when absent");

export const natsUrl = z.string().regex(/^(nats|tls):\/\/\S+$/, "must be nats://<host>:<port> or tls://<host>:<port>");

export const nkeySeedFile = z
  .string()
  .optional()
  .describe("File (mode 0600) with the nkey seed by which this program signs in to NATS");

export const nats = z
  .strictObject({
    url: natsUrl.default("nats://127.0.0.1:4222").describe("NATS server"),
    nkeySeedFile,
  })
  .prefault({});

export const availabilityZone = z.string().min(1).max(255).default("nova").describe("Availability zone of this host");

export const namespacePrefix = z
  .string()
  .regex(/^[a-z0-9-]{0,24}$/, "must be at most 24 of a–z, 0–9 and dash")
  .default("")
  .describe("Put before the names of namespaces, so that several simulated hosts can share one kernel");

export const physicalNetworks = z
  .array(z.string().regex(/^[^:,\s]{1,64}$/, "must be the name of a physical network"))
  .default([])
  .describe(
    "Physical networks that this host is on, beside those of l3.bridge_mappings: its ports get addresses of their segments",
  );

const bridgeMapping = z.string().regex(/^[^:,\s]{1,64}:[A-Za-z0-9_.-]{1,15}$/, "must be <physical network>:<bridge>");

/** What routers are told. */
export const agentL3 = {
  bridgeMappings: z
    .array(bridgeMapping)
    .default([])
    .describe("Bridge of this host for each physical network, as public:br-ex; it must exist, and is never changed"),
  metadata: z.boolean().default(true).describe("Serve instance metadata to what is behind routers"),
  spareNamespaces: z
    .int()
    .min(0)
    .max(64)
    .default(2)
    .describe("Namespaces that are kept ready for routers to come, which are quicker so; some 5 MB each"),
  handleInternalOnlyRouters: z.boolean().default(true).describe("Serve routers without a gateway too"),
};

export const interfaceDriver = z
  .enum(["bridge", "openvswitch"])
  .default("bridge")
  .describe("What joins the DHCP port to its network: a Linux bridge for each network, or one bridge of Open vSwitch");

export const ovs = z
  .strictObject({
    bridge: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,15}$/, "must be the name of a device")
      .default("br-int")
      .describe("Bridge of Open vSwitch that DHCP ports join; it must exist"),
    database: z
      .string()
      .regex(/^((unix:\/[A-Za-z0-9_./-]+)|((tcp|ssl):[A-Za-z0-9_.:-]+))$/, "must be unix:<absolute path>, tcp:… or ssl:…")
      .default("unix:/var/run/openvswitch/db.sock")
      .describe("Where ovsdb-server listens, as ovs-vsctl --db takes it"),
  })
  .prefault({});

export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** For `superRefine` of a schema with these keys. */
export function refuseLongThrottle(
  config: { readonly resyncThrottleMs: number; readonly resyncIntervalMs: number },
  context: z.RefinementCtx,
): void {
  if (config.resyncThrottleMs <= config.resyncIntervalMs) return;
  context.addIssue({
    code: "custom",
    path: ["resyncThrottleMs"],
    message: `must not be more than resync_interval_ms, which is ${config.resyncIntervalMs}`,
  });
}
