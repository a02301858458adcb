// The short child of child-sockets.ts: started inside the namespace, it makes one listening socket, hands it to its parent over
// the channel and ends. Arguments: address (with zone), port.
import { createServer } from "node:net";

const [, , host = "", port = ""] = process.argv;
const server = createServer();

/** Both lines end the process: nothing but the channel and the socket keeps it. */
function leave(): void {
  server.close();
  process.disconnect();
}

server.once("error", (error: NodeJS.ErrnoException) => {
  process.send?.({ errno: error.code ?? error.message }, leave);
});
server.listen({ host, port: Number(port), ipv6Only: true, backlog: 128 }, () => {
  process.send?.({ listening: true }, server, {}, leave);
});
