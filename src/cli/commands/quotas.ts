// Limits of projects. They are no collection: what a quota has inside are the names of what is counted.
import type { Command } from "commander";
import type { ApiObject } from "../api-client.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, collect, contextOf } from "./context.ts";

const quota = { singular: "quota", plural: "quotas" } as const;

export function addQuotaCommands(root: Command): void {
  const group = addExamples(root.command("quota").description("limits of what projects may have"), "netloom quota show");
  const list = group.command("list").description("list the projects that have limits of their own");
  addExamples(list, "netloom quota list -o json").action(async (_options: unknown, command: Command) => {
    const context = contextOf(command);
    const quotas = await context.client.list(quota);
    await context.printList(quotas, ["project_id", "network", "subnet", "port", "router", "floatingip"]);
  });
  addShow(group);
  addSet(group);
  const remove = group.command("delete").argument("<project>", "id").description("give a project the default limits again");
  addExamples(remove, "netloom quota delete blue").action(async (project: string, _options: unknown, command: Command) => {
    await contextOf(command).client.remove(quota, project);
  });
}

function addShow(group: Command): void {
  const show = group
    .command("show")
    .argument("[project]", "id; the caller's when absent")
    .description("show the limits of a project and what of them is used")
    .option("--default", "the limits of projects that have none of their own");
  addExamples(show, "netloom quota show blue").action(
    async (given: string | undefined, options: { readonly default?: true }, command: Command) => {
      const context = contextOf(command);
      const project = given ?? (await ownProject(context.client));
      if (options.default === true) return context.printObject(await context.client.show(quotaOf(project), "default"));
      const details = await context.client.show(quotaOf(project), "details");
      const rows = Object.entries(details).map(([resource, detail]) => ({ resource, ...(detail as ApiObject) }));
      await context.printList(rows, ["resource", "limit", "used"]);
    },
  );
}

/** What is below the quota of a project. */
const quotaOf = (project: string) => ({ ...quota, path: `quotas/${encodeURIComponent(project)}` });

async function ownProject(client: ReturnType<typeof contextOf>["client"]): Promise<string> {
  const { project_id } = await client.show({ singular: "project", plural: "projects", path: "quotas" }, "project");
  return String(project_id);
}

function addSet(group: Command): void {
  const set = group
    .command("set")
    .argument("<project>", "id")
    .description("set limits of a project")
    .requiredOption("--limit <what=count>", "network=50, port=-1 for no limit; may be repeated", collect)
    .option("--force", "also below what the project has already");
  addExamples(set, "netloom quota set blue --limit network=50 --limit port=-1").action(
    async (project: string, options: { readonly limit: readonly string[]; readonly force?: true }, command: Command) => {
      const context = contextOf(command);
      const changes = {
        ...Object.fromEntries(options.limit.map(readLimit)),
        ...(options.force === true ? { force: true } : {}),
      };
      await context.printObject(await context.client.update(quota, project, changes));
    },
  );
}

function readLimit(text: string): readonly [string, number] {
  const [, name = "", count = ""] = /^(\w+)=(-1|\d{1,10})$/.exec(text) ?? [];
  if (name !== "") return [name, Number(count)];
  throw new CommandFailure(exitCodes.usage, `--limit takes <what>=<count>, not ${JSON.stringify(text)}`);
}
