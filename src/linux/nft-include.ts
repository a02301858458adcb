// Long lines for an nft that is typed to: it takes in what it is typed character by character, but a file at once, which for
// thousands of elements is five times as fast.
import { randomUUID } from "node:crypto";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NftCommand {
  readonly text: string;
  /** To be called when nft has answered. */
  close(): void;
}

/** Below it a file costs more than it spares. */
const longestTyped = 1500;

/** The line itself, or the words that make nft read it. One transaction either way. */
export function nftCommand(line: string): NftCommand {
  if (line.length <= longestTyped) return { text: line, close: () => {} };
  const path = join(tmpdir(), `netloom-nft-${randomUUID()}`);
  const file = openSync(path, "wx", 0o600);
  try {
    // By its number only: whatever happens to this process, no file stays.
    unlinkSync(path);
    writeSync(file, `${line}\n`);
  } catch (thrown) {
    closeSync(file);
    throw thrown;
  }
  let isOpen = true;
  return {
    text: `include "/proc/${process.pid}/fd/${file}"`,
    close: () => {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}
