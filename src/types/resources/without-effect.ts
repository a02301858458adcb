// Attributes that other servers of this API have and that would have no effect here: only the value that asks for nothing is
// taken, and that is what answers have. No alias of theirs is told.
import type { AttributeDeclaration, FilterType } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { converted, quoted, Refusal, toBoolean } from "./values.ts";

interface Words {
  readonly alias: string;
  /** What nobody can have here, as in "this server has no …". */
  readonly lacking: string;
  readonly put?: false;
  readonly filter?: FilterType;
  readonly sort?: true;
}

function declared(schema: AttributeDeclaration["schema"], words: Words, only: null | false): AttributeDeclaration {
  const { alias, lacking, put, filter, sort } = words;
  return {
    ...(put === false ? access.fixed : access.settable),
    schema,
    ...(filter === undefined ? {} : { filter }),
    ...(sort === undefined ? {} : { sort }),
    default: only,
    withoutEffect: true,
    alias,
    description: `Always ${String(only)}: this server has no ${lacking}.`,
  };
}

const refusal = (value: unknown, { lacking }: Words): Refusal =>
  new Refusal(`${quoted(value)} is not accepted: this server has no ${lacking}.`);

/** null and nothing else. */
export const alwaysNull = (words: Words): AttributeDeclaration =>
  declared(
    converted({ type: "null" }, (value) => (value === null ? null : refusal(value, words))),
    words,
    null,
  );

/** false; null says the same. */
export const alwaysFalse = (words: Words): AttributeDeclaration =>
  declared(
    converted({ type: ["boolean", "null"], enum: [false, null] }, (value) => {
      const isOn = value === null ? false : toBoolean(value);
      return isOn === true ? refusal(value, words) : isOn;
    }),
    words,
    false,
  );
