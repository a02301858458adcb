import type { AttributeDeclaration, ResourceDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { boolean, orNull, readOnly, text, uuid } from "./values.ts";

const string = readOnly({ type: "string" });
/** `YYYY-MM-DD HH:MM:SS`, not the form of other objects. */
const timestamp = readOnly({ type: "string" });

function reported(description: string): AttributeDeclaration {
  return { ...access.computed, schema: string, filter: "text", sort: true, alias: "agent", description };
}

function moment(description: string): AttributeDeclaration {
  return { ...access.computed, schema: timestamp, sort: true, alias: "agent", description };
}

export const agentResource: ResourceDeclaration = {
  name: "agent",
  collection: "agents",
  title: "Agent",
  alias: "agent",
  notFound: "AgentNotFound",
  description: "A program on a host that makes the kernel equal to what the server says; it registers itself.",
  canCreate: false,
  canUpdate: true,
  canDelete: true,
  bulk: false,
  adminOnly: true,
  attributes: {
    id: {
      ...access.computed,
      schema: uuid,
      filter: "uuid",
      sort: true,
      alias: "agent",
      description: "UUID, given by the server.",
    },
    agent_type: reported("DHCP agent, L3 agent or Floating IP agent."),
    binary: reported("Name of the program."),
    host: reported("Host that it runs on."),
    topic: reported("Where it is reached."),
    availability_zone: { ...reported("Zone of the host."), alias: "availability_zone" },
    alive: {
      ...access.computed,
      schema: readOnly({ type: "boolean" }),
      filter: "boolean",
      alias: "agent",
      description: "Whether it reported lately.",
    },
    admin_state_up: {
      schema: boolean,
      post: false,
      put: true,
      visible: true,
      filter: "boolean",
      sort: true,
      alias: "agent",
      description: "Whether it is given new work.",
    },
    description: {
      schema: orNull(text({ maxLength: 255, multiline: true })),
      post: false,
      put: true,
      visible: true,
      filter: "text",
      alias: "agent",
      description: "Text for people.",
    },
    configurations: {
      ...access.computed,
      schema: readOnly({ type: "object" }),
      alias: "agent",
      description: "What it says about itself.",
    },
    created_at: moment("When it first registered, UTC."),
    started_at: moment("When its process started, UTC."),
    heartbeat_timestamp: moment("When it last reported, UTC."),
  },
};
