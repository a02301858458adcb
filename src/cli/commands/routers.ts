// What can be done with a router beside changing its attributes.
import type { Command } from "commander";
import { type ApiObject, resourceNames } from "../api-client.ts";
import { type AttributeOption, attributeValue } from "../attribute-values.ts";
import { CommandFailure, exitCodes } from "../exit-codes.ts";
import { addExamples, type CommandContext, collect, contextOf } from "./context.ts";
import { resolverOf, type Typed } from "./resource-options.ts";
import { addGatewayDetails, gatewayInfo } from "./router-gateway.ts";

const { router } = resourceNames;

export function addRouterCommands(root: Command): void {
  const group = root.commands.find((command) => command.name() === "router");
  if (group === undefined) throw new Error("the command `router` comes first");
  addInterface(group, "add");
  addInterface(group, "remove");
  addGateway(group);
  addRoute(group, "add");
  addRoute(group, "remove");
  addUnset(group);
}

function routerCommand(group: Command, name: string, description: string): Command {
  return group.command(name).description(description).argument("<router>", "name or id");
}

interface InterfaceOptions {
  readonly subnet?: string;
  readonly port?: string;
}

function addInterface(group: Command, verb: "add" | "remove"): void {
  const what = verb === "add" ? "join a router to a subnet" : "take a router off a subnet";
  const command = routerCommand(group, `${verb}-interface`, what)
    .option("--subnet <subnet>", "the subnet; the interface has its gateway address [name or id]")
    .option("--port <port>", "the port that is the interface [name or id]");
  addExamples(command, `netloom router ${verb}-interface edge --subnet blue-v4`);
  command.action(async (handle: string, { subnet, port }: InterfaceOptions) => {
    if (subnet === undefined && port === undefined) throw new CommandFailure(exitCodes.usage, "give --subnet or --port");
    const context = contextOf(command);
    const resolve = resolverOf(context);
    const id = await resolve("router", handle);
    const body = {
      ...(subnet === undefined ? {} : { subnet_id: await resolve("subnet", subnet) }),
      ...(port === undefined ? {} : { port_id: await resolve("port", port) }),
    };
    await context.printObject(await context.client.act(router, id, { action: `${verb}_router_interface`, body }));
  });
}

function addGateway(group: Command): void {
  const set = addGatewayDetails(
    routerCommand(group, "set-gateway", "lead a router out to an external network").argument("<network>", "name or id"),
  );
  addExamples(set, "netloom router set-gateway edge public --enable-snat false");
  set.action(async (handle: string, network: string, typed: Typed) => {
    const context = contextOf(set);
    const id = await context.client.findId(router, handle);
    const external_gateway_info = await gatewayInfo(network, typed, context);
    await context.printObject(await context.client.update(router, id, { external_gateway_info }));
  });
  const clear = routerCommand(group, "clear-gateway", "take the way out from a router");
  addExamples(clear, "netloom router clear-gateway edge");
  clear.action(async (handle: string) => {
    const context = contextOf(clear);
    const id = await context.client.findId(router, handle);
    await context.printObject(await context.client.update(router, id, { external_gateway_info: null }));
  });
}

const route: AttributeOption = {
  attribute: "routes",
  flag: "route",
  kind: "record",
  isList: true,
  isNullable: false,
  choices: [],
  keys: { destination: "text", nexthop: "text" },
  isRequired: false,
  description: "",
};

const routeHelp = "a route [destination=…,nexthop=…, may be repeated]";

function addRoute(group: Command, verb: "add" | "remove"): void {
  const what = verb === "add" ? "give a router further routes" : "take routes from a router";
  const command = routerCommand(group, `${verb}-route`, what).requiredOption("--route <value>", routeHelp, collect);
  addExamples(command, `netloom router ${verb}-route edge --route destination=10.9.0.0/16,nexthop=10.0.0.9`);
  command.action(async (handle: string, { route: typed }: { readonly route: readonly string[] }) => {
    const context = contextOf(command);
    const id = await context.client.findId(router, handle);
    await context.printObject(await changeRoutes(context, id, { verb, typed }));
  });
}

interface RouteChange {
  readonly verb: "add" | "remove";
  readonly typed: readonly string[];
}

async function changeRoutes(context: CommandContext, id: string, { verb, typed }: RouteChange): Promise<ApiObject> {
  const routes = await attributeValue(route, typed, resolverOf(context));
  const answer = await context.client.act(router, id, { action: `${verb}_extraroutes`, body: { router: { routes } } });
  // The cast: the answer holds the router.
  return answer["router"] as ApiObject;
}

interface UnsetOptions {
  readonly route?: readonly string[];
  readonly externalGateway?: true;
}

function addUnset(group: Command): void {
  const command = routerCommand(group, "unset", "take routes or the way out from a router")
    .option("--route <value>", routeHelp, collect)
    .option("--external-gateway", "the way out");
  addExamples(command, "netloom router unset edge --external-gateway");
  command.action(async (handle: string, { route: typed, externalGateway }: UnsetOptions) => {
    if (typed === undefined && externalGateway === undefined) {
      throw new CommandFailure(exitCodes.usage, "nothing to change: give --route or --external-gateway");
    }
    const context = contextOf(command);
    const id = await context.client.findId(router, handle);
    let answer: ApiObject = {};
    if (typed !== undefined) answer = await changeRoutes(context, id, { verb: "remove", typed });
    if (externalGateway === true) answer = await context.client.update(router, id, { external_gateway_info: null });
    await context.printObject(answer);
  });
}
