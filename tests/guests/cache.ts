/**
 * The folder outside the checkout where real guests and borrowed tools are kept between runs.
 *
 * `$VMIKIT_GUESTS`, or `vmikit-guests` in the system's temporary folder. Entries are folders that appear whole, by renaming,
 * so a reader needs no lock; writers take one lock, so that parallel tests fetch a thing once. A failed fetch leaves its
 * reason behind, for tests that only look. Cold.
 */

/** Something from outside: where it is, or why it is not here. */
export type Outside =
  | { readonly available: true; readonly path: string; readonly version: string }
  | { readonly available: false; readonly reason: string };

/** The cache folder; it need not exist yet. */
export function cacheFolder(): string {
  const own = Deno.env.get("VMIKIT_GUESTS");
  if (own !== undefined && own !== "") return own;
  return `${(Deno.env.get("TMPDIR") ?? "/tmp").replace(/\/+$/, "")}/vmikit-guests`;
}

/** Whether a file or folder is there. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The text of a file, trimmed, or `undefined` if it is not there. */
export function readText(path: string): string | undefined {
  return exists(path) ? Deno.readTextFileSync(path).trim() : undefined;
}

/**
 * Makes the folder `name` in the cache, once, however many processes ask at the same time.
 *
 * @param name Name of the entry.
 * @param fill Fills an empty folder it is given and returns the version of what it put there; throws if it cannot.
 * @param cache The cache folder.
 * @returns The entry's folder and version, or the reason it could not be made.
 */
export async function makeEntry(
  name: string,
  fill: (folder: string) => Promise<string>,
  cache: string = cacheFolder(),
): Promise<Outside> {
  const done = lookEntry(name, cache);
  if (done.available) return done;
  try {
    Deno.mkdirSync(cache, { recursive: true });
    using lock = Deno.openSync(`${cache}/lock`, { create: true, write: true });
    await lock.lock(true);
    const meanwhile = lookEntry(name, cache);
    if (meanwhile.available) return meanwhile;
    return await fillEntry(name, fill, cache);
  } catch (error) { // the cache itself cannot be written
    return { available: false, reason: messageOf(error) };
  }
}

async function fillEntry(name: string, fill: (folder: string) => Promise<string>, cache: string): Promise<Outside> {
  const path = `${cache}/${name}`;
  const fresh = Deno.makeTempDirSync({ dir: cache, prefix: `new-${name}-` });
  try {
    Deno.writeTextFileSync(`${fresh}/version`, await fill(fresh) + "\n");
    if (exists(path)) Deno.removeSync(path, { recursive: true }); // without a version, so not one of ours
    Deno.renameSync(fresh, path);
    if (exists(`${path}.failed`)) Deno.removeSync(`${path}.failed`);
  } catch (error) {
    Deno.removeSync(fresh, { recursive: true });
    Deno.writeTextFileSync(`${path}.failed`, messageOf(error) + "\n");
  }
  return lookEntry(name, cache);
}

/** The entry as it is now; fetches nothing. */
export function lookEntry(name: string, cache: string = cacheFolder()): Outside {
  const path = `${cache}/${name}`;
  try {
    const version = readText(`${path}/version`);
    if (version !== undefined) return { available: true, path, version };
    return { available: false, reason: readText(`${path}.failed`) ?? "not fetched yet, `deno task test` does it" };
  } catch (error) {
    return { available: false, reason: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s*\n\s*/g, "; ");
}
