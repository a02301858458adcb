import type { Command } from "commander";
import { resourceNames } from "../api-client.ts";
import { addExamples, contextOf } from "./context.ts";

const columns = ["id", "agent_type", "host", "availability_zone", "alive", "admin_state_up", "heartbeat_timestamp"];

export function addAgentCommands(root: Command): void {
  const agent = addExamples(root.command("agent").description("the agents that the server knows"), "netloom agent list");
  const list = agent.command("list").description("list agents").option("--host <host>", "only those of this host");
  addExamples(list, "netloom agent list -o json").action(async (options: { host?: string }, command: Command) => {
    const context = contextOf(command);
    const query: [string, string][] = options.host === undefined ? [] : [["host", options.host]];
    await context.printList(await context.client.list(resourceNames.agent, query), columns);
  });
  const show = agent.command("show").argument("<id>", "agent").description("show one agent");
  addExamples(show, "netloom agent show 0190b6a8-3c1e-7f00-8a00-5d3c2e1f0a9b").action(
    async (id: string, _options: object, command: Command) => {
      const context = contextOf(command);
      await context.printObject(await context.client.show(resourceNames.agent, id));
    },
  );
}
