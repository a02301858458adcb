// Several rows in one message, as long as it stays well under what NATS takes.
import type { OutboxRow } from "../store/outbox.ts";

export const maxBatchBytes = 256 * 1024;

/** In order, none left out; a row that is too big for a batch is one of its own. */
export function* batches(
  rows: readonly OutboxRow[],
  maxBytes = maxBatchBytes,
): Generator<readonly [OutboxRow, ...OutboxRow[]]> {
  let batch: [OutboxRow, ...OutboxRow[]] | undefined;
  let bytes = 0;
  for (const row of rows) {
    const size = Buffer.byteLength(row.item);
    if (batch !== undefined && bytes + size > maxBytes) {
      yield batch;
      batch = undefined;
    }
    if (batch === undefined) {
      batch = [row];
      bytes = size;
    } else {
      batch.push(row);
      bytes += size;
    }
  }
  if (batch !== undefined) yield batch;
}
