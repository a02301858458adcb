// Follows what changes, from a moment of the past on: node follow-notifications.mjs <nats url> <seed file> [since, ISO 8601]
// Prints one line of JSON for each message. Needs @nats-io/transport-node and @nats-io/jetstream.
import { readFile } from "node:fs/promises";
import { jetstream } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

const [url, seedFile, since] = process.argv.slice(2);
const seed = new TextEncoder().encode((await readFile(seedFile, "utf8")).trim());
const connection = await connect({ servers: url, authenticator: nkeyAuthenticator(seed), inboxPrefix: "_INBOX_observer" });
// An ordered consumer notices when it missed something, and begins again there.
const start = since === undefined ? { deliver_policy: "all" } : { deliver_policy: "by_start_time", opt_start_time: since };
const consumer = await jetstream(connection).consumers.get("NOTIFY", start);
for await (const message of await consumer.consume()) {
  process.stdout.write(`${JSON.stringify({ subject: message.subject, sequence: message.seq, ...message.json() })}\n`);
}
