// Which attributes of an object a caller sees. Worked out once per resource and kind of caller: a list of a thousand ports
// must cost no look at declarations.
import type { ResourceDeclaration } from "../../types/resources/declaration.ts";
import { type Caller, maySee } from "../../types/resources/policy.ts";
import type { Attributes, RequestContext } from "../services/resource-service.ts";

interface Column {
  readonly name: string;
  readonly source: string;
}

export class AnswerView {
  readonly #resource: ResourceDeclaration;
  readonly #columnsOf = new Map<string, readonly Column[]>();

  constructor(resource: ResourceDeclaration) {
    this.#resource = resource;
  }

  /** @param fields names that the caller wants; unknown ones are ignored, none at all means everything. */
  one(item: Attributes, context: RequestContext, fields?: readonly string[]): Attributes {
    return pick(item, this.#columns(context, fields));
  }

  /**
   * Of each item of a list. Where a caller sees everything an item is shown as it is: to copy fifty attributes and write the copy
   * takes twice as long as to write it.
   */
  each(context: RequestContext, fields?: readonly string[]): (item: Attributes) => Attributes {
    const columns = this.#columns(context, fields);
    if (fields !== undefined) return (item) => pick(item, columns);
    const shown = new Set(columns.map(({ name }) => name));
    const hidden = Object.keys(this.#resource.attributes).filter((name) => !shown.has(name));
    const aliases = columns.filter(({ name, source }) => name !== source);
    let isDeclared: boolean | undefined;
    return (item) => {
      // Items of one list are made by one presenter: what the first one has beside declared attributes, all have.
      isDeclared ??= Object.keys(item).every((name) => Object.hasOwn(this.#resource.attributes, name));
      const isAsShown =
        isDeclared && aliases.every((alias) => isIn(item, alias)) && hidden.every((name) => item[name] === undefined);
      return isAsShown ? item : pick(item, columns);
    };
  }

  many(items: readonly Attributes[], context: RequestContext, fields?: readonly string[]): readonly Attributes[] {
    return items.map(this.each(context, fields));
  }

  #columns(context: RequestContext, fields?: readonly string[]): readonly Column[] {
    const kind = context.isAdmin ? "admin" : `${context.isManager === true} ${context.isService === true}`;
    const columns = this.#columnsOf.get(kind) ?? columnsFor(this.#resource, context);
    this.#columnsOf.set(kind, columns);
    return fields === undefined ? columns : columns.filter((column) => fields.includes(column.name));
  }
}

function columnsFor(resource: ResourceDeclaration, caller: Caller): readonly Column[] {
  const seen = Object.entries(resource.attributes).filter(([, attribute]) => attribute.visible && maySee(attribute, caller));
  return seen.map(([name, attribute]) => ({ name, source: attribute.aliasOf ?? name }));
}

const isIn = (item: Attributes, { name, source }: Column): boolean => name in item || item[source] === undefined;

function pick(item: Attributes, columns: readonly Column[]): Attributes {
  const picked: Record<string, unknown> = {};
  for (const { name, source } of columns) {
    const value = item[source];
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}
