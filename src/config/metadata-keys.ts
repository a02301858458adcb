// Keys of section `metadata`: who is served instance metadata by the agents, and from where.
import { isAbsolute } from "node:path";
import { z } from "zod";

const upstream = z
  .string()
  .refine((text) => {
    if (text.startsWith("unix:")) return isAbsolute(text.slice("unix:".length));
    return /^http:\/\/[^/?#\s]+\/?$/.test(text) && URL.canParse(text);
  }, "must be http://<host>:<port> or unix:<absolute path>")
  .optional()
  .describe("Nova-compatible metadata service: http://<host>:<port> or unix:<path>; netloom answers by itself when absent");

/** Of everybody who serves metadata. */
export const metadataService = {
  upstream,
  sharedSecretFile: z
    .string()
    .refine(isAbsolute, "must be an absolute path")
    .optional()
    .describe("File (mode 0600) with the secret that the metadata service checks instance ids by"),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(60)
    .describe("For a request to arrive as a whole, and for silence of the metadata service"),
  requestsPerSecond: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(20)
    .describe("Of one instance address in the long run; 0: no limit"),
  requestBurst: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(200)
    .describe("Of one instance address at once: a boot reads some dozen files"),
  sockets: z
    .enum(["auto", "setns", "child"])
    .default("auto")
    .describe("How to listen inside namespaces: by a native library, by a child process for each, or the first that works"),
};

/** Of the DHCP agent. */
export const agentMetadata = {
  isolated: z.boolean().default(false).describe("Serve instance metadata on subnets whose gateway no router holds"),
  force: z.boolean().default(false).describe("Serve instance metadata on every network with a DHCP subnet"),
  metadataNetwork: z
    .boolean()
    .default(false)
    .describe("On a network inside 169.254.0.0/16, answer the instances behind the router that is joined to it"),
  ...metadataService,
};
