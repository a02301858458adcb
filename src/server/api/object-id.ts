import { ApiFault } from "../../types/api-faults.ts";
import { attributeOf, type ResourceDeclaration } from "../../types/resources/declaration.ts";
import { checkText, Refusal, toUuid } from "../../types/resources/values.ts";

/** An id in the form that the database has. What cannot be an id names no object, so it is not found rather than wrong. */
export function parseId(resource: ResourceDeclaration, text: string): string {
  const isUuid = attributeOf(resource, "id")?.filter === "uuid";
  const id = isUuid ? toUuid(text) : checkText(text, { maxLength: 255 });
  if (id instanceof Refusal) throw notFound(resource, text);
  return id;
}

export function notFound(resource: ResourceDeclaration, id: string): ApiFault {
  const shown = JSON.stringify(id.slice(0, 80)).slice(1, -1);
  return new ApiFault(resource.notFound, `${resource.title} ${shown} could not be found.`);
}
