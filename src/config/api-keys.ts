// Keys of how the REST API is served, of the server and of `netloom up`.
import { z } from "zod";

export const serverApi = {
  rateLimit: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe(
      "Requests per second that one user, or one address where there are no users, may make in the long run; 0: any number",
    ),
  rateBurst: z.int().min(1).max(1_000_000).default(100).describe("Requests at once before the rate counts"),
  paginationMaxLimit: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe("Most objects in one page of a list, also where the client asks for all; 0: any number"),
  linkPrefix: z
    .string()
    .max(255)
    .regex(/^(https?:\/\/[A-Za-z0-9.:[\]_-]+(\/[A-Za-z0-9._~-]+)*)?$/, "is not an http or https URL without a slash at its end")
    .default("")
    .describe(
      "What links in answers begin with, for an API behind a proxy (https://cloud.example.org/network); empty: what the client called it",
    ),
  drainMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(0)
    .describe("How long a server that is told to stop serves on while /readyz says that it stops, for balancers to notice"),
};
