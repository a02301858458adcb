// `agent router`: which L3 agent hosts which routers, by hand.
import type { Command } from "commander";
import { isUuid } from "../../model/ids.ts";
import { resourceNames } from "../api-client.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, contextOf } from "./context.ts";
import { describe } from "./resource-kinds.ts";

export function addAgentRouterCommands(agent: Command): void {
  const group = addExamples(
    agent.command("router").description("which L3 agent hosts which routers"),
    "netloom agent router list node-1",
  );
  const list = group.command("list").description("list routers of an agent").argument("<agent>", "id, or host of an L3 agent");
  addExamples(list, "netloom agent router list node-1 -o json");
  list.action(async (handle: string) => {
    const context = contextOf(list);
    const id = await findL3Agent(context, handle);
    const routers = await context.client.list({ ...resourceNames.router, path: `agents/${id}/l3-routers` });
    await context.printList(routers, describe("router").columns);
  });
  const add = withRouter(group.command("add").description("give a router to an agent"));
  addExamples(add, "netloom agent router add node-1 edge");
  add.action(async (handle: string, router: string) => {
    const context = contextOf(add);
    const { client } = context;
    const router_id = await client.findId(resourceNames.router, router);
    await client.post(`agents/${await findL3Agent(context, handle)}/l3-routers`, { router_id });
  });
  const remove = withRouter(
    group.command("remove").description("take a router from an agent; it is nobody's until it is changed"),
  );
  addExamples(remove, "netloom agent router remove node-1 edge");
  remove.action(async (handle: string, router: string) => {
    const context = contextOf(remove);
    const { client } = context;
    const id = await client.findId(resourceNames.router, router);
    await client.remove({ ...resourceNames.router, path: `agents/${await findL3Agent(context, handle)}/l3-routers` }, id);
  });
}

const withRouter = (command: Command): Command =>
  command.argument("<agent>", "id, or host of an L3 agent").argument("<router>", "name or id");

async function findL3Agent({ client }: CommandContext, handle: string): Promise<string> {
  if (isUuid(handle)) return handle;
  const found = await client.list(resourceNames.agent, [
    ["host", handle],
    ["agent_type", "L3 agent"],
  ]);
  const [first] = found;
  if (first !== undefined) return String(first["id"]);
  throw new CommandFailure(exitCodes.notFound, `no L3 agent has the id or host ${handle}`);
}
