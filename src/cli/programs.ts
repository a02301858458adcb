// The programs that `netloom <name>` becomes: loaded when asked for, each by its own `main(argv)`.
import type { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";

interface Program {
  readonly summary: string;
  readonly example: string;
  readonly schema: () => Promise<z.ZodObject>;
  readonly main: () => Promise<(argv: readonly string[]) => Promise<unknown>>;
}

export const programs = {
  up: {
    summary: "run everything on this machine: API server, all agents and a private NATS server",
    example: "netloom up --state-dir /var/lib/netloom --listen 127.0.0.1:9696",
    schema: async () => (await import("../config/up-config.ts")).upSchema,
    main: async () => (await import("../up/main.ts")).main,
  },
  down: {
    summary: "remove what `netloom up` made: namespaces, devices, dnsmasq, files of its state directory",
    example: "netloom down --state-dir /var/lib/netloom",
    schema: async () => (await import("../config/down-config.ts")).downSchema,
    main: async () => (await import("../up/down.ts")).main,
  },
  server: {
    summary: "run the API server",
    example: "netloom server --db postgres://netloom@db.example/netloom --nats-url nats://nats.example:4222",
    schema: async () => (await import("../config/server-config.ts")).serverSchema,
    main: async () => (await import("../server/main.ts")).main,
  },
  "dhcp-agent": {
    summary: "run this host's DHCP agent",
    example: "netloom dhcp-agent --nats-url nats://nats.example:4222 --nats-nkey-seed-file /etc/netloom/agent.seed",
    schema: async () => (await import("../config/dhcp-agent-config.ts")).dhcpAgentSchema,
    main: async () => (await import("../agent/main.ts")).main,
  },
  "l3-agent": {
    summary: "run this host's L3 agent: routers as network namespaces",
    example: "netloom l3-agent --nats-url nats://nats.example:4222 --l3-bridge-mappings public:br-ex",
    schema: async () => (await import("../config/l3-agent-config.ts")).l3AgentSchema,
    main: async () => (await import("../l3-agent/main.ts")).main,
  },
  "floating-ip-agent": {
    summary: "run this host's floating IP agent: floating IPs and port forwardings of the routers that its L3 agent builds",
    example: "netloom floating-ip-agent --nats-url nats://nats.example:4222 --nats-nkey-seed-file /etc/netloom/fip.seed",
    schema: async () => (await import("../config/floating-ip-agent-config.ts")).floatingIpAgentSchema,
    main: async () => (await import("../floating-ip-agent/main.ts")).main,
  },
} as const satisfies Readonly<Record<string, Program>>;

export type ProgramName = keyof typeof programs;

export function isProgram(name: string): name is ProgramName {
  return Object.hasOwn(programs, name);
}

export async function runProgram(name: ProgramName, argv: readonly string[]): Promise<void> {
  try {
    if (argv.includes("--help") || argv.includes("-h")) {
      process.stdout.write(await programHelp(name));
      return;
    }
    endWithParent();
    const main = await programs[name].main();
    await main(argv);
  } catch (thrown) {
    await fail(name, thrown);
  }
}

/**
 * A program started by `netloom up`, or by the launcher under an old Node, ends in an orderly way when its parent is gone,
 * however that died. The channel alone must not keep the program alive.
 */
function endWithParent(): void {
  if (process.channel === undefined || process.channel === null) return;
  process.on("disconnect", () => {
    // With an exit code it has already failed by itself.
    if (process.exitCode === undefined) process.kill(process.pid, "SIGTERM");
  });
  process.channel.unref();
}

async function fail(name: ProgramName, thrown: unknown): Promise<void> {
  const known = thrown instanceof NetloomError;
  const message = known ? thrown.message : thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  process.stderr.write(`netloom ${name}: ${message}\n`);
  if (process.send !== undefined && process.connected) {
    const report = { type: "failed", message: known ? message : message.split("\n")[0] };
    await new Promise<void>((resolve) => process.send?.(report, undefined, {}, () => resolve()));
  }
  // What a half-started program holds open must not keep it alive.
  process.exit(known ? exitCodeOf(thrown.code) : exitCodes.failure);
}

/** Usage, an example and every setting with its default, from the schema that checks them. */
export async function programHelp(name: ProgramName): Promise<string> {
  const { environmentName, fileName, flagName, listSettings } = await import("../config/settings.ts");
  const settings = listSettings(await programs[name].schema());
  const lines = settings.flatMap((setting) => {
    const value = setting.kind === "boolean" ? "" : ` <${setting.kind}>`;
    const description = `${setting.description}${shownDefault(setting.defaultValue)}`;
    return [
      `  --${flagName(setting)}${value}`,
      `      ${description}`,
      `      file: ${fileName(setting.path)}  environment: ${environmentName(setting)}`,
    ];
  });
  const { summary, example } = programs[name];
  return [
    `Usage: netloom ${name} [options]`,
    "",
    summary,
    "",
    "Options (a flag wins over the environment, that over the file):",
    "  --config <file>",
    "      YAML file with settings",
    ...lines,
    "",
    "Example:",
    `  ${example}`,
    "",
  ].join("\n");
}

function shownDefault(value: unknown): string {
  if (Array.isArray(value)) return ` (default ${value.length === 0 ? "none" : value.join(",")})`;
  if (typeof value === "boolean") return ` (default ${value ? "on" : "off"})`;
  return (typeof value === "string" && value !== "") || typeof value === "number" ? ` (default ${value})` : "";
}
