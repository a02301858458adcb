// The nft table of routers: what is there, what has to be done to it, and doing it.
import { createHash } from "node:crypto";
import type { CommandRunner } from "../../linux/command-runner.ts";
import type { NftShellPool } from "../../linux/nft-shell-pool.ts";
import type { RouterSpec } from "./router-spec.ts";
import { createTableLine, noSets, repairTableLine, replaceSetsLine, rulesetText } from "./ruleset.ts";
import { areSameSets, readSets, readTable } from "./table-state.ts";

export type TablePlan =
  | { readonly kind: "none" | "create" | "sets" }
  /** Chains that are there. */
  | { readonly kind: "repair"; readonly chains: readonly string[] };

const rulesetVersion = createHash("sha256").update(rulesetText).digest("hex").slice(0, 8);

/** `undefined` for what another version of the rules has left. */
function rulesHashOf(noted: string | undefined): string | undefined {
  const [version, hash] = noted?.split(":") ?? [];
  return version === rulesetVersion ? hash : undefined;
}

export class RouterTable {
  readonly #runner: CommandRunner;
  readonly #nft: NftShellPool;
  /** How nft lists the rules of this program: the same for every router, read once from one that was made just now. */
  #reference: string | undefined;

  constructor(runner: CommandRunner, nft: NftShellPool) {
    this.#runner = runner;
    this.#nft = nft;
  }

  /**
   * @param isNew there is no such namespace
   * @param rulesHash of this router's rules as an earlier process noted it
   */
  async plan(
    { namespace, sets }: RouterSpec,
    { isNew, rulesHash }: { readonly isNew: boolean; readonly rulesHash: string | undefined },
  ): Promise<TablePlan> {
    if (isNew) return { kind: "create" };
    const table = await readTable(this.#runner, namespace);
    if (table === undefined) return { kind: "create" };
    const expected = this.#reference ?? rulesHashOf(rulesHash);
    if (table.rulesHash !== expected) return { kind: "repair", chains: table.chains };
    const present = await readSets(this.#nft, namespace, sets);
    return { kind: areSameSets(sets, present) ? "none" : "sets" };
  }

  /** One transaction. Throws NetloomError COMMAND_FAILED with nft's words. */
  async apply({ namespace, sets }: RouterSpec, plan: TablePlan): Promise<void> {
    if (plan.kind === "none") return;
    if (plan.kind === "sets") await this.#nft.run(namespace, replaceSetsLine(sets));
    else if (plan.kind === "create") await this.#nft.run(namespace, createTableLine(sets));
    else if (plan.kind === "repair") await this.#nft.run(namespace, repairTableLine(sets, plan.chains));
  }

  /** The rules without any elements, into a namespace that has none. */
  async load(namespace: string): Promise<void> {
    await this.#nft.run(namespace, createTableLine(noSets));
    await this.#learn(namespace);
  }

  /** For the next process: which rules, and how nft lists them. */
  async rulesHash(namespace: string): Promise<string> {
    await this.#learn(namespace);
    return `${rulesetVersion}:${this.#reference ?? ""}`;
  }

  async #learn(namespace: string): Promise<void> {
    this.#reference ??= (await readTable(this.#runner, namespace))?.rulesHash;
  }
}
