// Starts an agent's part that is killed at a step of its work.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DyingKeepalivedOrder } from "./dying-keepalived.ts";

const child = fileURLToPath(new URL("dying-keepalived.ts", import.meta.url));

/** @returns whether it lived long enough to do all of it */
export async function workAndDie(order: DyingKeepalivedOrder): Promise<boolean> {
  const dying = fork(child, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const ended = once(dying, "exit");
  let isDone = false;
  dying.on("message", () => (isDone = true));
  dying.send(order);
  await ended;
  return isDone;
}
