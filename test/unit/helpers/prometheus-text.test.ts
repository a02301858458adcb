import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf } from "../../helpers/prometheus-text.ts";

test("what a scraper would refuse is found", () => {
  const good = '# HELP a_total How often\n# TYPE a_total counter\na_total{x="1"} 2\n';

  assert.deepEqual(faultsOf(good), []);
  assert.deepEqual(faultsOf(good.trimEnd()), ["the last line does not end"]);
  assert.deepEqual(faultsOf(`${good}${good}`), ["two HELP of a_total", "two TYPE of a_total", 'twice: a_total{x="1"}']);
  assert.deepEqual(faultsOf("b 1\n"), ["no HELP or TYPE before b 1"]);
  assert.deepEqual(faultsOf("# HELP c x\n# TYPE c gauge\nc NaN\n"), ["not a number: c NaN"]);
  assert.deepEqual(faultsOf("# HELP c x\n# TYPE c gauge\nc-d 1\n"), ["not a sample: c-d 1"]);
});
