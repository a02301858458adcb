import assert from "node:assert/strict";
import { test } from "node:test";
import { ChurnLedger, type Tenure } from "../../helpers/churn-ledger.ts";

const port = (mac: string, values: Partial<Tenure> = {}): Tenure => ({
  id: mac,
  mac,
  address: "10.0.0.5",
  askedAt: 0,
  ...values,
});
const heard = (mac: string, askedAt: number, address?: string) => ({ mac, askedAt, answeredAt: askedAt + 100, address });

test("an address that is not the port's is wrong, and silence is where the port was announced ready and stayed", () => {
  const ledger = new ChurnLedger();
  ledger.add(port("a", { readyAt: 10 }));
  ledger.add(port("b"));
  ledger.add(port("c", { readyAt: 10, deleteAskedAt: 150 }));

  assert.equal(ledger.judge(heard("a", 20, "10.0.0.5")), undefined);
  assert.match(ledger.judge(heard("a", 20, "10.0.0.6")) ?? "", /has 10\.0\.0\.5 and got 10\.0\.0\.6/);
  assert.match(ledger.judge(heard("a", 20)) ?? "", /nobody answered for 100 ms/);
  assert.equal(ledger.judge(heard("a", 5)), undefined, "not announced when it was asked");
  assert.equal(ledger.judge(heard("b", 20)), undefined);
  assert.match(ledger.judge(heard("c", 40)) ?? "", /nobody answered/);
  assert.equal(ledger.judge(heard("c", 60)), undefined, "deleted while it waited");
  assert.match(ledger.judge(heard("x", 20, "10.0.0.5")) ?? "", /never had a port/);
});

test("a deleted port may be answered until a later one is announced ready, and not after", () => {
  const ledger = new ChurnLedger();
  ledger.add(port("old", { readyAt: 10, deleteAskedAt: 20, deletedAt: 30 }));
  ledger.add(port("meanwhile", { askedAt: 25, readyAt: 40 }));
  const heir = port("heir", { askedAt: 35 });
  ledger.add(heir);

  assert.equal(ledger.judge(heard("old", 45, "10.0.0.5")), undefined, "its creation and the deletion were under way together");
  heir.readyAt = 50;

  assert.equal(ledger.judge(heard("old", 49, "10.0.0.5")), undefined);
  assert.match(ledger.judge(heard("old", 51, "10.0.0.5")) ?? "", /is gone/);
  assert.equal(ledger.judge(heard("old", 51)), undefined);
});
