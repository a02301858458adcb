// A store whose process dies: from the n-th statement on nothing reaches the database any more, not even what would tidy up.
import type { KyselyPlugin } from "kysely";
import type { Store } from "../../src/server/store/database.ts";

export class DyingStore {
  readonly store: Store;
  #left: number;

  /** @param statements that still reach the database */
  constructor(store: Store, statements: number) {
    this.#left = statements;
    const plugin: KyselyPlugin = {
      transformQuery: ({ node }) => {
        if (this.#left-- > 0) return node;
        throw new Error("this server was killed");
      },
      transformResult: async ({ result }) => result,
    };
    this.store = {
      db: store.db.withPlugin(plugin),
      dialect: store.dialect,
      figures: store.figures,
      transaction: (work) => store.transaction((trx) => work(trx.withPlugin(plugin))),
      onCommitted: (listener) => store.onCommitted(listener),
      close: () => store.close(),
    };
  }

  get isDead(): boolean {
    return this.#left < 0;
  }
}
