// A list as JSON, some items at a time. A long one is never there as a whole: its objects and texts would be moved from place to
// place by the garbage collector and stay in memory long after, and nobody else would be answered meanwhile.
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { Attributes } from "../services/resource-service.ts";
import type { Link, ListFacts } from "./links.ts";

export interface ListAnswer {
  readonly collection: string;
  readonly items: Iterable<Attributes>;
  /** Which attributes of an item are shown. */
  readonly view: (item: Attributes) => Attributes;
  /** Named in the answer only where there are some. */
  readonly linksOf: (facts: ListFacts) => readonly Link[];
}

const itemsPerPiece = 128;

/** The body of the answer, a stream where it is long. */
export function writeList(answer: ListAnswer): Buffer | Readable {
  const pieces = piecesOf(answer);
  const head = pieces.next().value ?? Buffer.alloc(0);
  const { value: next } = pieces.next();
  return next === undefined ? head : Readable.from(inTurns([head, next], pieces), { objectMode: false });
}

function* piecesOf({ collection, items, view, linksOf }: ListAnswer): Generator<Buffer, undefined> {
  let before = `{${JSON.stringify(collection)}:[`;
  let texts: string[] = [];
  let facts: ListFacts = { count: 0, first: undefined, last: undefined };
  for (const item of items) {
    if (texts.length === itemsPerPiece) {
      yield Buffer.from(before + texts.join());
      before = ",";
      texts = [];
    }
    facts = { count: facts.count + 1, first: facts.first ?? item, last: item };
    texts.push(JSON.stringify(view(item)));
  }
  const links = linksOf(facts);
  const after = links.length === 0 ? "]}" : `],${JSON.stringify(`${collection}_links`)}:${JSON.stringify(links)}}`;
  yield Buffer.from(before + texts.join() + after);
}

async function* inTurns(made: readonly Buffer[], rest: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* made;
  for (const piece of rest) {
    yield piece;
    // Others ask, too.
    await setImmediate();
  }
}
