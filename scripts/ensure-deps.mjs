// Brings what a bare machine lacks: Debian packages, Node 24 and the npm packages (both by `npm ci`). Run before every npm
// script: `node scripts/ensure-deps.mjs <purpose>`. Plain JavaScript without dependencies, because the system's Node runs it.
// When nothing is missing it only looks at files.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const purpose = process.argv[2] ?? "start";

/** Program → Debian package. */
const runPrograms = {
  ip: "iproute2",
  nft: "nftables",
  dnsmasq: "dnsmasq-base",
  "nats-server": "nats-server",
  nsenter: "util-linux",
  perl: "perl-base",
  "dbus-daemon": "dbus-daemon",
  radvd: "radvd",
};
const demoPrograms = { ...runPrograms, udhcpc: "udhcpc" };
const testPrograms = {
  ...demoPrograms,
  dhclient: "isc-dhcp-client",
  dhcp_release: "dnsmasq-utils",
  ethtool: "ethtool",
  ping: "iputils-ping",
  setpriv: "util-linux",
  tcpdump: "tcpdump",
  "ovs-vswitchd": "openvswitch-switch",
  initdb: "postgresql",
  curl: "curl",
  "cloud-init": "cloud-init",
  openstack: "python3-openstackclient",
  keepalived: "keepalived",
};
/** What the ancestors' agents ran, for comparison. */
const benchPrograms = {
  ...testPrograms,
  "iptables-save": "iptables",
  conntrack: "conntrack",
  arping: "iputils-arping",
};
const wanted = {
  start: runPrograms,
  demo: demoPrograms,
  bench: benchPrograms,
  test: testPrograms,
  check: {},
};

const say = (text) => process.stderr.write(`netloom set-up: ${text}\n`);

function fail(text) {
  say(text);
  process.exit(1);
}

/** Debian keeps PostgreSQL's programs out of PATH, and sbin out of the PATH of ordinary users. */
function searchPath() {
  const postgres = ["13", "14", "15", "16", "17", "18"].map((major) => `/usr/lib/postgresql/${major}/bin`);
  return [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", ...postgres];
}

function isInstalled(program) {
  return searchPath().some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isDebian() {
  try {
    return /^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

function run(what, command, args, options = {}) {
  const startedAt = Date.now();
  const result = spawnSync(command, args, { cwd: home, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });
  if (result.status === 0) {
    say(`${what}: done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    return;
  }
  const reason = result.error
    ? result.error.message
    : `${result.stdout}${result.stderr}`.trim().split("\n").slice(-15).join("\n");
  fail(`${what} failed (${command} ${args.join(" ")}):\n${reason}`);
}

function ensurePackages() {
  const programs = wanted[purpose];
  if (programs === undefined) fail(`unknown purpose ${purpose}: one of ${Object.keys(wanted).join(", ")}`);
  const missing = Object.keys(programs).filter((program) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => programs[program]))].sort();
  const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (process.platform !== "linux") fail("netloom runs on Linux: it makes network namespaces");
  if (!isDebian())
    fail(`programs are missing: ${missing.join(", ")}. Install them; on Debian they are in: ${packages.join(" ")}`);
  if (process.getuid() !== 0) fail(`programs are missing: ${missing.join(", ")}. Run as root: ${command}`);
  say(`installing ${packages.join(", ")} …`);
  installWithoutServices(packages);
  const still = missing.filter((program) => !isInstalled(program));
  if (still.length > 0) fail(`${still.join(", ")} still not found after: ${command}`);
}

/** nats-server and postgresql would start services on their usual ports; netloom starts its own where it needs them. */
function installWithoutServices(packages) {
  const policy = "/usr/sbin/policy-rc.d";
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const cleanUp = () => isOurs && rmSync(policy, { force: true });
  process.once("exit", cleanUp);
  if (packages.includes("cloud-init")) keepCloudInitOff();
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  run("package lists", "apt-get", ["update", "-qq"], { env });
  run("Debian packages", "apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
  cleanUp();
}

/** Tests read its Python code; as a service it would set this machine up anew at its next boot. */
function keepCloudInitOff() {
  mkdirSync("/etc/cloud", { recursive: true });
  writeFileSync("/etc/cloud/cloud-init.disabled", "installed for the tests of netloom only\n");
}

/** True when what npm wrote into node_modules at its end is at least as new as the lock file. */
function hasModules() {
  const installed = join(home, "node_modules", ".package-lock.json");
  if (!existsSync(installed) || !existsSync(join(home, "node_modules", ".bin", "node"))) return false;
  if (statSync(installed).mtimeMs >= statSync(join(home, "package-lock.json")).mtimeMs) return true;
  // A fresh checkout or a copy changes times and nothing else: compare what is in them before removing everything.
  return sameVersions(installed);
}

function sameVersions(installed) {
  const read = (file) => JSON.parse(readFileSync(file, "utf8")).packages ?? {};
  const present = read(installed);
  const locked = read(join(home, "package-lock.json"));
  const needed = Object.keys(locked).filter((path) => path !== "" && !locked[path].optional);
  return needed.every((path) => present[path]?.version === locked[path].version);
}

function ensureModules() {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    fail(`netloom runs on Linux on x64 or arm64, and this is ${process.platform} on ${process.arch}`);
  }
  if (!hasModules()) installModules();
  if (purpose !== "test" && purpose !== "check") return;
  if (existsSync(join(home, "node_modules", "typescript"))) return;
  say("the development packages are left out (omit=dev or NODE_ENV=production); installing them for the checks …");
  installModules();
}

function installModules() {
  say("installing npm packages and Node 24 …");
  const npm = process.env.npm_execpath;
  // npm runs under the Node that started it: the one in node_modules is about to be replaced.
  const node = process.env.npm_node_execpath ?? process.execPath;
  const [command, prefix] = npm?.endsWith(".js") ? [node, [npm]] : ["npm", []];
  // --include=optional: Node itself is an optional package, one for each kind of machine.
  const args = [
    ...prefix,
    "ci",
    "--ignore-scripts",
    "--include=optional",
    "--include=dev",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  run("npm packages", command, args, { env: { ...process.env, NODE_ENV: "development" } });
  if (!existsSync(join(home, "node_modules", ".bin", "node"))) fail("npm ci did not bring Node 24 (node_modules/.bin/node)");
}

function requireRootWhereNeeded() {
  if (purpose === "test" || purpose === "check" || process.getuid() === 0) return;
  fail(`npm run ${purpose} makes network namespaces and needs root: run it as root or with sudo`);
}

requireRootWhereNeeded();
ensurePackages();
ensureModules();
