import assert from "node:assert/strict";
import { ApiFault, type FaultType } from "../../src/types/api-faults.ts";

/** Asserts that the API would answer with this fault, for a reason that says `text`. */
export async function assertFault(work: Promise<unknown>, type: FaultType, text: RegExp = /./): Promise<void> {
  await assert.rejects(work, (thrown) => {
    assert.ok(thrown instanceof ApiFault, `not a fault of the API: ${String(thrown)}`);
    assert.equal(thrown.type, type, thrown.message);
    assert.match(thrown.message, text);
    return true;
  });
}
