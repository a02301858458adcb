// A port for whatever is started, ended and started again on it.
import { randomInt } from "node:crypto";
import { once } from "node:events";
import net from "node:net";

/** Below those that the kernel gives to whoever does not mind which: it stays free until it is listened on, and between two starts. */
export async function freePort(address = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    const server = net.createServer().listen(port, address);
    const isFree = await once(server, "listening").then(
      () => true,
      (thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== "EADDRINUSE") throw thrown;
        return false;
      },
    );
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
