// Bytes of a request → JSON that is safe to look at: bounded in depth, no keys that reach a prototype.
import type { FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { quoted } from "../../types/resources/values.ts";

/** A thousand ports with everything that they may carry fit; see also the cap of a bulk. */
export const maxBodyBytes = 4 * 1024 * 1024;
const maxDepth = 16;
const refusedKeys = new Set(["__proto__", "constructor", "prototype"]);
const utf8 = new TextDecoder("utf-8", { fatal: true });
const jsonType = /^application\/json\s*(;|$)/i;
/** What is read as UTF-8 without a difference. */
const charsets = new Set(["utf-8", "utf8", "us-ascii"]);

/** The one parser for all content types. */
export function parseRequestBody(request: FastifyRequest, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (request.method === "DELETE") {
    throw new ApiFault("HTTPBadRequest", "A DELETE request takes no body.");
  }
  checkContentType(request.headers);
  const body = parseJson(bytes);
  checkShape(body, maxDepth);
  return body;
}

/** What browsers send of themselves, and programs do not. */
const browserHeaders = ["origin", "referer", "cookie", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];

/**
 * A body that says to be something else is refused, so that a page of another site cannot make a browser write here without asking
 * first. So is one of a browser that says nothing, as it may of a blob; some clients (tempest's) never say anything.
 */
function checkContentType(headers: FastifyRequest["headers"]): void {
  const type = headers["content-type"];
  if (type === undefined && browserHeaders.every((name) => headers[name] === undefined)) return;
  if (type === undefined || !jsonType.test(type)) {
    throw new ApiFault("HTTPUnsupportedMediaType", "The body must be JSON, sent as Content-Type: application/json.");
  }
  for (const parameter of type.split(";").slice(1)) {
    const [, charset] = /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i.exec(parameter) ?? [];
    if (charset === undefined || charsets.has(charset.toLowerCase())) continue;
    throw new ApiFault("HTTPUnsupportedMediaType", `The body must be JSON in UTF-8, not in ${quoted(charset)}.`);
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new ApiFault("MalformedRequestBody", "Malformed request body: it is not JSON in UTF-8.", cause);
  }
}

function checkShape(value: unknown, depthLeft: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depthLeft === 0) {
    throw new ApiFault("MalformedRequestBody", `Malformed request body: nested deeper than ${maxDepth} levels.`);
  }
  if (Array.isArray(value)) {
    for (const item of value) checkShape(item, depthLeft - 1);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (refusedKeys.has(key)) throw new ApiFault("HTTPBadRequest", `Unrecognized attribute(s) '${key}'.`);
    checkShape(item, depthLeft - 1);
  }
}
