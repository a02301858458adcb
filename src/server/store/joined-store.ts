// For use cases that are made of others: what would be several transactions is one.
import type { Store, Trx } from "./database.ts";

/** A store whose transactions are parts of one that is open: they are committed with it, or nothing is. */
export function joinedStore(store: Store, trx: Trx): Store {
  return {
    db: trx,
    dialect: store.dialect,
    figures: store.figures,
    transaction: (work) => work(trx),
    onCommitted: (listener) => store.onCommitted(listener),
    close: async () => {},
  };
}
