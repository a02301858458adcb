// Attributes that most resources share.
import type { AttributeDeclaration } from "./declaration.ts";
import { readOnly, text, uuid } from "./values.ts";

const timestamp = readOnly({ type: "string", format: "date-time" });
const settable = { post: true, put: true, visible: true } as const;
const fixed = { post: true, put: false, visible: true } as const;
const computed = { post: false, put: false, visible: true } as const;

/** Shorthands for `post`, `put` and `visible`. */
export const access = { settable, fixed, computed } as const;

export function identity(alias: string): Readonly<Record<"id" | "name", AttributeDeclaration>> {
  return {
    id: { ...computed, schema: uuid, filter: "uuid", sort: true, alias, description: "UUID, given by the server." },
    name: {
      ...settable,
      schema: text({ maxLength: 255, notBlank: true }),
      default: "",
      filter: "text",
      sort: true,
      alias,
      description: "Name for people; need not be unique.",
    },
  };
}

const project: AttributeDeclaration = {
  ...fixed,
  schema: text({ maxLength: 255 }),
  filter: "text",
  sort: true,
  alias: "project-id",
  description: "Project that owns it; another one than the caller's needs an administrator.",
};

export const ownership: Readonly<Record<"project_id" | "tenant_id", AttributeDeclaration>> = {
  project_id: project,
  tenant_id: { ...project, aliasOf: "project_id", description: "The older name of project_id." },
};

export const standardAttributes: Readonly<
  Record<"description" | "tags" | "created_at" | "updated_at" | "revision_number", AttributeDeclaration>
> = {
  description: {
    ...settable,
    schema: text({ maxLength: 255, multiline: true }),
    default: "",
    filter: "text",
    sort: true,
    alias: "standard-attr-description",
    description: "Text for people.",
  },
  tags: {
    ...computed,
    schema: readOnly({ type: "array", items: { type: "string" } }),
    alias: "standard-attr-tag",
    description: "Marks that a client put on it.",
  },
  created_at: {
    ...computed,
    schema: timestamp,
    sort: true,
    alias: "standard-attr-timestamp",
    description: "When it was made, UTC.",
  },
  updated_at: {
    ...computed,
    schema: timestamp,
    sort: true,
    alias: "standard-attr-timestamp",
    description: "When it last changed, UTC.",
  },
  revision_number: {
    ...computed,
    schema: readOnly({ type: "integer" }),
    filter: "integer",
    sort: true,
    alias: "standard-attr-revisions",
    description: "Grows with every committed change.",
  },
};
