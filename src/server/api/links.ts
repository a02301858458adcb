// Absolute links in answers. Where no prefix is set host and scheme are the client's own words, so they are checked before they are repeated.
import type { FastifyRequest } from "fastify";
import type { Attributes } from "../services/resource-service.ts";
import type { ListRequest } from "./list-request.ts";

const hostText = /^[A-Za-z0-9.:[\]_-]{1,255}$/;

declare module "fastify" {
  interface FastifyInstance {
    /** Empty: what the client called the API. */
    readonly linkPrefix: string;
  }
}

export interface Link {
  readonly rel: "self" | "next" | "previous";
  readonly href: string;
}

/** The prefix that is set, or `http://host:port`; a proxy in front says in X-Forwarded-Proto which scheme the client used. */
export function baseUrl(request: FastifyRequest): string {
  if (request.server.linkPrefix !== "") return request.server.linkPrefix;
  const scheme = request.headers["x-forwarded-proto"] === "https" ? "https" : "http";
  const host = request.headers.host ?? "";
  return `${scheme}://${hostText.test(host) ? host : "localhost"}`;
}

export function selfLink(request: FastifyRequest, path: string): Link {
  return { rel: "self", href: `${baseUrl(request)}${path}` };
}

/** What the links to other pages are made of. */
export interface ListFacts {
  readonly count: number;
  readonly first: Attributes | undefined;
  readonly last: Attributes | undefined;
}

/** Links to the neighbouring pages; a page that is not full is the last one in its direction. */
export function pageLinks(
  request: FastifyRequest,
  path: string,
  params: URLSearchParams,
  page: { readonly list: ListRequest; readonly items: ListFacts },
): readonly Link[] {
  const { limit, pageReverse } = page.list.query;
  if (limit === undefined) return [];
  const isShort = page.items.count < limit;
  const href = (marker: unknown, reverse: boolean) => {
    const query = new URLSearchParams(params);
    query.delete("marker");
    query.delete("page_reverse");
    if (typeof marker === "string") query.set("marker", marker);
    if (reverse) query.set("page_reverse", "True");
    return `${baseUrl(request)}${path}?${query.toString()}`;
  };
  const links: Link[] = [];
  if (!isShort || pageReverse) links.push({ rel: "next", href: href(page.items.last?.["id"], false) });
  if (!isShort || !pageReverse) links.push({ rel: "previous", href: href(page.items.first?.["id"], true) });
  return links;
}
