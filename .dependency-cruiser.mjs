// Who may import whom, as CONTRIBUTING.md says it: each layer names what it may use; everything else is forbidden.

/** Folder below src → folders (or files, as regular expressions) below src. A folder may always use itself. */
const allowed = {
  model: [],
  base: [],
  types: ["model/"],
  config: ["types/", "base/"],
  linux: ["base/"],
  messaging: ["base/", "types/", "model/"],
  runtime: ["base/", "messaging/", "config/", "types/", "linux/"],
  cache: ["model/", "types/", "base/"],
  "device-manager": ["drivers/[^/]+$", "linux/", "model/", "base/"],
  vif: ["drivers/[^/]+$", "linux/", "model/", "base/"],
  "lease-relay": ["linux/", "messaging/", "runtime/", "cache/", "types/", "model/", "base/"],
  "lease-bus": ["drivers/[^/]+$", "linux/", "runtime/", "model/", "base/"],
  leases: ["lease-bus/", "lease-relay/", "linux/", "runtime/", "types/", "model/", "base/"],
  "metadata-proxy": ["drivers/[^/]+$", "linux/", "model/", "base/"],
  heartbeat: ["linux/", "messaging/", "runtime/", "cache/", "types/", "model/", "base/"],
  "server/ipam": ["server/store/", "model/", "types/", "base/"],
  "server/store": ["model/", "types/", "base/"],
  "server/scheduler": ["server/store/", "model/", "types/", "base/"],
  "server/services": ["server/ipam/", "server/store/", "server/scheduler/", "model/", "types/", "base/"],
  "server/publisher": ["server/store/", "messaging/", "types/", "base/"],
  "server/identity": ["types/", "base/"],
  "server/api": ["server/services/", "server/identity/", "types/", "messaging/", "base/"],
  "server/resources": ["server/api/", "server/services/", "server/ipam/", "server/store/", "model/", "types/", "base/"],
  "server/rpc": ["server/services/", "types/", "messaging/", "model/", "base/"],
  up: ["config/", "base/", "linux/", "messaging/", "types/", "device-manager/", "drivers/", "lease-bus/", "vif/", "model/"],
  cli: ["types/", "config/", "base/", "model/"],
};

const agentMay = [
  "base",
  "model",
  "types",
  "config",
  "linux",
  "messaging",
  "runtime",
  "cache",
  "device-manager",
  "vif",
  "lease-relay",
  "lease-bus",
  "leases",
  "metadata-proxy",
  "heartbeat",
];

/** @param {string} from @param {string[]} targets @param {object} [more] */
const only = (from, targets, more = {}) => ({
  name: `${from.replaceAll("/", "-")}-imports`,
  comment: `src/${from} may import only: ${targets.join(", ") || "nothing of ours"}`,
  severity: "error",
  from: { path: `^src/${from}/`, ...more },
  to: { path: "^src/", pathNot: `^src/(${[`${from}/`, ...targets].join("|")})` },
});

/** @param {string} folder @param {string[]} packages */
const packagesOf = (folder, packages) => ({
  name: `${folder}-packages`,
  comment: `src/${folder} may use only: ${packages.join(", ")} and Node`,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: "^node_modules/", pathNot: `^node_modules/(${packages.join("|")})/` },
});

const forbidden = [
  { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
  { name: "unresolvable", severity: "error", from: { path: "^(src|test|scripts)/" }, to: { couldNotResolve: true } },
  { name: "no-tests-in-src", severity: "error", from: { path: "^src/" }, to: { path: "^(test|scripts)/" } },
  {
    name: "internal-files",
    severity: "error",
    comment: "a file named internal.ts belongs to its folder",
    from: { path: "^src/(.+)/[^/]+$" },
    to: { path: "/internal\\.ts$", pathNot: "^src/$1/" },
  },
  // The command line becomes a program by loading its main.ts, and plugs through vif; nothing else of it reaches so far.
  ...Object.entries(allowed).map(([from, targets]) =>
    only(from, targets, from === "cli" ? { pathNot: "^src/cli/(programs|commands/plug|commands/database)\\.ts$" } : {}),
  ),
  {
    name: "cli-programs",
    severity: "error",
    comment: "src/cli/programs.ts may load the entry of a program, nothing else of it",
    from: { path: "^src/cli/programs\\.ts$" },
    to: { path: "^src/", pathNot: "^src/(cli/|config/|base/|[^/]+/main\\.ts$|up/down\\.ts$)" },
  },
  {
    name: "cli-plug",
    severity: "error",
    from: { path: "^src/cli/commands/plug\\.ts$" },
    to: { path: "^src/", pathNot: "^src/(cli/|config/|vif/|linux/|model/|types/|base/)" },
  },
  {
    name: "cli-database",
    severity: "error",
    from: { path: "^src/cli/commands/database\\.ts$" },
    to: { path: "^src/", pathNot: "^src/(cli/|config/|base/|server/database-tool\\.ts$)" },
  },
  {
    name: "driver-interfaces",
    severity: "error",
    comment: "what the agent asks of a driver knows only the model",
    from: { path: "^src/drivers/[^/]+$" },
    to: { path: "^src/", pathNot: "^src/(drivers/[^/]+$|model/)" },
  },
  {
    name: "drivers-imports",
    severity: "error",
    from: { path: "^src/drivers/([^/]+)/" },
    // A router's devices join networks as the DHCP agent's do: by the interface drivers of the device manager.
    to: { path: "^src/", pathNot: "^src/(drivers/$1/|drivers/[^/]+$|device-manager/|linux/|model/|base/)" },
  },
  ...["agent", "l3-agent", "floating-ip-agent"].flatMap((agent) => [
    {
      name: `${agent}-imports`,
      severity: "error",
      comment: "only main.ts chooses the concrete driver",
      from: { path: `^src/${agent}/`, pathNot: `^src/${agent}/main\\.ts$` },
      to: { path: "^src/", pathNot: `^src/(${agent}/|drivers/[^/]+$|(${agentMay.join("|")})/)` },
    },
    {
      name: `${agent}-main-imports`,
      severity: "error",
      from: { path: `^src/${agent}/main\\.ts$` },
      // One process may be both agents of layer 3.
      to: {
        path: "^src/",
        pathNot: `^src/(${agent}/|drivers/|(${agentMay.join("|")})/${agent === "l3-agent" ? "|floating-ip-agent/beside\\.ts$" : ""})`,
      },
    },
  ]),
  {
    name: "server-main-imports",
    severity: "error",
    from: { path: "^src/server/[^/]+$" },
    to: { path: "^src/", pathNot: "^src/(server|config|messaging|runtime|types|model|base)/" },
  },
  packagesOf("model", ["ip-address"]),
  packagesOf("base", ["pino", "prom-client"]),
  packagesOf("types", ["zod", "@types/node"]),
];

export default {
  forbidden,
  options: {
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(bin|deploy|docs)/" },
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js", ".json"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
    },
  },
};
