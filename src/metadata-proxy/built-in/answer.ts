// Answers of a host without a metadata service: what netloom itself knows of an instance.
import type { Instance } from "../instance.ts";
import { ec2Folder, ec2Versions } from "./ec2.ts";
import type { HostFacts } from "./facts.ts";
import { openstackFolder, openstackVersions } from "./openstack.ts";
import { readTree } from "./tree.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const plainText = "text/plain; charset=utf-8";

export const notFound: Answer = { status: 404, contentType: plainText, body: "404 Not Found\n" };
const wrongMethod: Answer = { status: 405, contentType: plainText, body: "405 Method Not Allowed\n" };

/** @param target path and query as the guest sent them */
export function answerBuiltIn(instance: Instance, facts: HostFacts, method: string, target: string): Answer {
  const path = splitPath(target);
  if (path === undefined) return notFound;
  if (method !== "GET" && method !== "HEAD") return wrongMethod;
  const [version = "", ...rest] = path;
  if (version === "") return found([...ec2Versions, "openstack"].join("\n"), plainText);
  if (version === "openstack") return openstackAnswer(instance, facts, rest);
  if (!ec2Versions.includes(version)) return notFound;
  return treeAnswer(readTree(ec2Folder(instance, facts), rest), plainText);
}

function openstackAnswer(instance: Instance, facts: HostFacts, path: readonly string[]): Answer {
  const [version, ...rest] = path;
  if (version === undefined) return found(openstackVersions.join("\n"), plainText);
  if (!openstackVersions.includes(version)) return notFound;
  const isJson = rest.at(-1)?.endsWith(".json") === true;
  return treeAnswer(readTree(openstackFolder(version, instance, facts), rest), isJson ? "application/json" : plainText);
}

const found = (body: string, contentType: string): Answer => ({ status: 200, contentType, body });

function treeAnswer(text: ReturnType<typeof readTree>, contentType: string): Answer {
  return text === undefined ? notFound : found(text.text, text.isFolder ? plainText : contentType);
}

/** Double and last slashes do not count; `undefined` for a path that is not one. */
function splitPath(target: string): readonly string[] | undefined {
  // Clients of a proxy may send the whole address.
  const path = (target.replace(/^https?:\/\/[^/?]*/i, "").split("?")[0] ?? "").split("/").filter((part) => part !== "");
  try {
    return path.map((part) => decodeURIComponent(part));
  } catch {
    return undefined;
  }
}
