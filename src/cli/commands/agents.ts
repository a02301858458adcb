import { type Command, Option } from "commander";
import { readAgentStatus } from "../agent-status.ts";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { addAgentRouterCommands } from "./agent-routers.ts";
import { CommandFailure } from "../exit-codes.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";

const columns = ["id", "agent_type", "host", "availability_zone", "alive", "admin_state_up", "heartbeat_timestamp"];

const networkColumns = ["network_id", "state", "ports", "last_reconcile_at", "last_reconcile_ms", "outcome", "reason"];

const routerColumns = ["router_id", "state", "floating_ips", "last_reconcile_at", "last_reconcile_ms", "outcome", "reason"];

export function addAgentCommands(root: Command): void {
  const agent = addExamples(root.command("agent").description("the agents that the server knows"), "netloom agent list");
  const list = agent
    .command("list")
    .description("list agents")
    .option("--host <host>", "only those of this host")
    .option("--router <router>", "only those that host this router (name or id)");
  addExamples(list, "netloom agent list -o json").action(async (options: ListOptions, command: Command) => {
    const context = contextOf(command);
    await context.printList(await readAgents(options, context), columns);
  });
  const show = agent
    .command("show")
    .argument("<id>", "agent")
    .description("show one agent, and how each network of a DHCP agent, or each router of the others, is")
    .addOption(
      new Option("--state-dir <directory>", "state directory of this host, whose agent is asked when the server cannot")
        .env("NETLOOM_STATE_DIR")
        .default("/var/lib/netloom"),
    );
  addExamples(show, "netloom agent show 0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b").action(showAgent);
  addAgentRouterCommands(agent);
}

interface ListOptions {
  readonly host?: string;
  readonly router?: string;
}

async function readAgents({ host, router }: ListOptions, { client }: CommandContext): Promise<readonly ApiObject[]> {
  if (router === undefined) return client.list(resourceNames.agent, host === undefined ? [] : [["host", host]]);
  const path = `routers/${await client.findId(resourceNames.router, router)}/l3-agents`;
  const agents = await client.list({ ...resourceNames.agent, path });
  return agents.filter((agent) => host === undefined || agent["host"] === host);
}

async function showAgent(id: string, { stateDir }: { readonly stateDir: string }, command: Command): Promise<void> {
  const context = contextOf(command);
  const agent = await context.client.show(resourceNames.agent, id);
  if (agent["agent_type"] !== "DHCP agent") return showRouterAgent(agent, context);
  const asked = { id, host: String(agent["host"]), stateDir };
  const answer = await readAgentStatus(context.client, asked);
  if ("missing" in answer) {
    await context.printObject(agent);
    process.stderr.write(`netloom: its networks are not known: ${answer.missing}\n`);
    return;
  }
  const shown = { ...agent, phase: answer.phase };
  await context.printObjectWithList(shown, { name: "networks", items: answer.networks, columns: networkColumns });
}

async function showRouterAgent(agent: ApiObject, context: CommandContext): Promise<void> {
  try {
    const { phase, routers } = await context.client.showRouterAgentStatus(String(agent["id"]));
    await context.printObjectWithList({ ...agent, phase }, { name: "routers", items: routers, columns: routerColumns });
  } catch (thrown) {
    if (!(thrown instanceof CommandFailure)) throw thrown;
    await context.printObject(agent);
    process.stderr.write(`netloom: its routers are not known: ${thrown.message}\n`);
  }
}
