// Where log lines go. A log that cannot be written (a full disk, a reader that is gone) must not end the program that serves
// networks: lines are dropped, counted, and the loss is told once there is room again.
import { writeSync } from "node:fs";

export interface LogOutput {
  write(line: string): void;
}

/** A reader of a pipe that is slow for longer than this loses lines. */
const busyAttempts = 20;
const busyPauseMs = 5;

/** @param write one call of write(2); throws as fs.writeSync does. Answers the bytes taken. */
export function logOutput(write: (bytes: Buffer) => number = (bytes) => writeSync(2, bytes)): LogOutput {
  let lost = 0;
  return {
    write(line) {
      if (lost > 0 && !writeWhole(write, lostLine(lost))) {
        lost += 1;
        return;
      }
      lost = writeWhole(write, line) ? 0 : 1;
    },
  };
}

const lostLine = (count: number): string =>
  `${JSON.stringify({ level: "warn", time: new Date().toISOString(), count, msg: "log lines could not be written" })}\n`;

function writeWhole(write: (bytes: Buffer) => number, line: string): boolean {
  let rest = Buffer.from(line);
  for (let attempt = 0; rest.length > 0; ) {
    try {
      rest = rest.subarray(write(rest));
    } catch (thrown) {
      const isBusy = thrown instanceof Error && "code" in thrown && thrown.code === "EAGAIN";
      attempt += 1;
      if (!isBusy || attempt > busyAttempts) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyPauseMs);
    }
  }
  return true;
}
