// Tags: marks that clients put on objects, and find them by.
import { listOf, text } from "./values.ts";

export const maxTagLength = 255;
const maxTags = 255;

/** A tag that lists can be asked for has no comma; others are kept all the same. */
export const tagSchema = text({ maxLength: maxTagLength, minLength: 1 });

export const tagsSchema = listOf(tagSchema, { maxItems: maxTags, uniqueBy: (tag) => tag });

/** Of lists: all of these tags, any of them; not all of them, none of them. */
const tagFilters = ["tags", "tags-any", "not-tags", "not-tags-any"] as const;
export type TagFilter = (typeof tagFilters)[number];

export const isTagFilter = (name: string): name is TagFilter => (tagFilters as readonly string[]).includes(name);
