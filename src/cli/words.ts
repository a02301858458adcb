// Titles of objects in sentences of the help.

export const aOrAn = (title: string): string => `${/^[aeiou]/i.test(title) ? "an" : "a"} ${title}`;

/** Of the last word: `QoS policies`, `subnets`. What cannot be counted stays as it is. */
export function pluralOf(title: string): string {
  if (title.endsWith("ness")) return title;
  return /[^aeiou]y$/i.test(title) ? `${title.slice(0, -1)}ies` : `${title}s`;
}
