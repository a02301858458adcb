// The configuration of the private nats-server: loopback only, one user for each program, each with the few subjects that
// are its own. An agent can neither read another's events nor speak in its name, whatever becomes of its host.
import { randomUUID } from "node:crypto";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { notificationStreamName } from "./notification-stream.ts";
import {
  askSubject,
  controlSubject,
  eventSubject,
  heartbeatSubject,
  hostToken,
  inboxPrefix,
  observerInboxPrefix,
  type Role,
  rpcSubject,
  serverInboxPrefix,
  statusSubject,
} from "./subjects.ts";

export interface AgentUser {
  readonly role: Role;
  readonly host: string;
  readonly publicKey: string;
}

export interface NatsConfig {
  readonly directory: string;
  /** −1: any free one. */
  readonly port: number;
  readonly server: string;
  readonly agents: readonly AgentUser[];
  /** Public key of those who follow notifications. */
  readonly observer?: string;
  /** Where JetStream keeps its streams; without it there is no JetStream. */
  readonly storeDir?: string;
}

interface User {
  readonly publicKey: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const serverUser = (publicKey: string): User => ({
  publicKey,
  publish: [
    ...["nl.ev.>", "nl.net.>", "nl.sg.>", "nl.ask.>", "nl.notify.>"],
    // It makes the stream of notifications; what is in it, it does not read.
    ...["CREATE", "UPDATE", "INFO"].map((verb) => `$JS.API.STREAM.${verb}.${notificationStreamName}`),
  ],
  subscribe: ["nl.rpc.>", "nl.hb.>", "nl.st.>", `${serverInboxPrefix}.>`],
});

/** Reads and reads again, by consumers of its own; neither writes nor removes messages. */
const observerUser = (publicKey: string): User => ({
  publicKey,
  publish: [
    `$JS.API.STREAM.INFO.${notificationStreamName}`,
    ...["CREATE", "INFO", "MSG.NEXT", "DELETE"].map((verb) => `$JS.API.CONSUMER.${verb}.${notificationStreamName}.>`),
    `$JS.ACK.${notificationStreamName}.>`,
  ],
  subscribe: ["nl.notify.>", `${observerInboxPrefix}.>`],
});

const agentUser = ({ role, host, publicKey }: AgentUser): User => ({
  publicKey,
  publish: [rpcSubject(role, "*", host), heartbeatSubject(role, host), statusSubject(role, host)],
  subscribe: [
    eventSubject(role, host),
    controlSubject(role, host),
    askSubject(role, "*", host),
    `${inboxPrefix(role, host)}.>`,
  ],
});

const list = (subjects: readonly string[]): string => `[${subjects.map((subject) => JSON.stringify(subject)).join(", ")}]`;

const formatUser = (user: User): string =>
  [
    "    {",
    `      nkey: ${user.publicKey}`,
    "      permissions: {",
    `        publish: { allow: ${list(user.publish)} }`,
    `        subscribe: { allow: ${list(user.subscribe)} }`,
    // One reply to each request that came, and only to its inbox.
    "        allow_responses: true",
    "      }",
    "    }",
  ].join("\n");

export function formatNatsConfig(config: Omit<NatsConfig, "directory">): string {
  const observers = config.observer === undefined ? [] : [observerUser(config.observer)];
  const users = [serverUser(config.server), ...config.agents.map(agentUser), ...observers];
  return [
    "# Made by netloom; changes are overwritten.",
    `listen: "127.0.0.1:${config.port}"`,
    ...(config.storeDir === undefined ? [] : [`jetstream: { store_dir: ${JSON.stringify(config.storeDir)} }`]),
    "authorization: {",
    "  users: [",
    users.map(formatUser).join("\n"),
    "  ]",
    "}",
    "",
  ].join("\n");
}

/** Writes `<directory>/nats-server.conf` (0600) and answers its path. */
export async function writeNatsConfig(config: NatsConfig): Promise<string> {
  for (const { host } of config.agents) hostToken(host);
  await mkdir(config.directory, { recursive: true, mode: 0o700 });
  await chmod(config.directory, 0o700);
  const file = join(config.directory, "nats-server.conf");
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, formatNatsConfig(config), { mode: 0o600 });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
  return file;
}
