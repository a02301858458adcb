// The reference's tables of attributes, read from reference-attributes.txt.
import { readFileSync } from "node:fs";

type Action = "create" | "update" | "read";

export interface ExpectedAttribute {
  readonly post: boolean;
  readonly put: boolean;
  readonly visible: boolean;
  readonly filter: boolean;
  readonly sort: boolean;
  readonly required: boolean;
  /** Absent: nobody is kept from it. Of the others, these beside administrators. */
  readonly allowed: Readonly<Partial<Record<Action, readonly string[]>>>;
  readonly extension: string | undefined;
}

export type ExpectedResource = Readonly<Record<string, ExpectedAttribute>>;

/** By the name of the resource. */
export function readReference(): Readonly<Record<string, ExpectedResource>> {
  const text = readFileSync(new URL("reference-attributes.txt", import.meta.url), "utf8");
  const resources: Record<string, Record<string, ExpectedAttribute>> = {};
  let current: Record<string, ExpectedAttribute> = {};
  for (const line of text.split("\n").filter((each) => each.trim() !== "" && !each.trim().startsWith("#"))) {
    if (!line.startsWith(" ")) {
      current = {};
      resources[line] = current;
      continue;
    }
    const [name = "", ops = "", lists = "", ...words] = line.trim().split(/ +/);
    current[name] = {
      ...{ post: ops.includes("C"), put: ops.includes("U"), visible: ops.includes("R") },
      ...{ filter: lists.includes("f"), sort: lists.includes("s"), required: words.includes("required") },
      allowed: allowedOf(words),
      extension: words.find((word) => word.startsWith("alias:"))?.slice("alias:".length),
    };
  }
  return resources;
}

function allowedOf(words: readonly string[]): ExpectedAttribute["allowed"] {
  const pairs = words.map((word) => word.split(":")).filter(([action = ""]) => action !== "alias" && action !== "required");
  const entries = pairs.flatMap(([action = "", who = ""]) =>
    (action === "all" ? ["create", "update", "read"] : [action]).map((each) => [each, who.split(",")] as const),
  );
  return Object.fromEntries(entries);
}
