// What was left out of dnsmasq's files though the model has it. The rest is complete; who builds the files logs the notes.
import type { PortId, SubnetId } from "../../model/ids.ts";

export interface Note {
  /** `info`: it is meant to be so. `warn`: somebody wanted something that clients do not get. */
  readonly level: "info" | "warn";
  readonly portId?: PortId | undefined;
  readonly subnetId?: SubnetId | undefined;
  readonly text: string;
}

/** One line for the log whatever the number of notes: with ten thousand ports there may be ten thousand. */
export function describeNotes(notes: readonly Note[]): string {
  const shown = notes.slice(0, 8).map(({ portId, subnetId, text }) => {
    const subject = portId === undefined ? (subnetId === undefined ? "" : `subnet ${subnetId}: `) : `port ${portId}: `;
    return `${subject}${text}`;
  });
  return [...shown, ...(notes.length > shown.length ? [`and ${notes.length - shown.length} more`] : [])].join("; ");
}
