// Metadata as a tree of texts, and how a path in it is answered: a leaf by its text, a folder by the names in it.

export interface Folder {
  readonly [name: string]: Folder | Leaf;
}

/** Made only when somebody reads it. */
export type Leaf = () => string;

export interface FoundText {
  readonly text: string;
  readonly isFolder: boolean;
}

/** `undefined` when there is nothing at that place. */
export function readTree(root: Folder, path: readonly string[]): FoundText | undefined {
  let here: Folder | Leaf = root;
  for (const name of path) {
    if (typeof here === "function" || !Object.hasOwn(here, name)) return undefined;
    const next: Folder | Leaf | undefined = here[name];
    if (next === undefined) return undefined;
    here = next;
  }
  return typeof here === "function" ? { text: here(), isFolder: false } : { text: listing(here), isFolder: true };
}

/** A slash tells the reader where to go on. */
function listing(folder: Folder): string {
  return Object.entries(folder)
    .map(([name, inner]) => (typeof inner === "function" ? name : `${name}/`))
    .join("\n");
}
