/**
 * Debian packages as archives: found, downloaded and opened, never installed.
 *
 * apt runs over a state folder of its own inside the cache, set to one architecture. So neither root nor a foreign
 * architecture is needed, and neither the host's package lists nor its packages change. The host's sources and keys are
 * used as they are. Cold.
 */
import { exists } from "./cache.ts";

/** Runs a program, stdin closed; resolves to what it printed. @throws {Error} with the end of stderr if it fails. */
export async function capture(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await spawnable(
    program,
    () => new Deno.Command(program, { args: [...args], stdin: "null", env: { LC_ALL: "C" } }).output(),
  );
  if (!success) throw new Error(`${program} failed: ${lastLines(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function spawnable<T>(program: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error(`program ${program} is not on this machine`);
    throw error;
  }
}

function lastLines(bytes: Uint8Array): string {
  const lines = new TextDecoder().decode(bytes).trim().split("\n");
  return (lines.filter((line) => line.startsWith("E:")).concat(lines.slice(-1))).at(0) ?? "";
}

/** A private apt for one architecture. */
export interface Apt {
  /** Fresh lists. @throws {Error} if not one list could be had. */
  update(): Promise<void>;
  /** Name of the package that a metapackage (`linux-image-686`) stands for. */
  target(metapackage: string): Promise<string>;
  /** Downloads a package. */
  download(name: string): Promise<{ readonly deb: string; readonly version: string }>;
}

/**
 * @param state Folder for lists and archives; made if absent.
 * @param architecture Debian architecture, e.g. `i386`.
 */
export function privateApt(state: string, architecture: string): Apt {
  for (const folder of ["lists/partial", "archives/partial"]) Deno.mkdirSync(`${state}/${folder}`, { recursive: true });
  if (!exists(`${state}/status`)) Deno.writeTextFileSync(`${state}/status`, "");
  const options = Object.entries({
    "Dir::State": state,
    "Dir::State::lists": `${state}/lists`,
    "Dir::State::status": `${state}/status`,
    "Dir::Cache": state,
    "Dir::Cache::archives": `${state}/archives`,
    "APT::Architecture": architecture,
    "APT::Architectures::": architecture,
    "APT::Sandbox::User": "root", // the unprivileged download user could not write to this folder
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "20",
    "Acquire::https::Timeout": "20",
  }).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const show = async (name: string): Promise<string> => {
    const text = await capture("apt-cache", [...options, "show", "--no-all-versions", name]);
    if (text.trim() === "") throw new Error(`no package ${name} for ${architecture} in the host's sources`);
    return text;
  };
  return {
    async update(): Promise<void> {
      // One broken list among several is common on mirrors; what matters is that the packages can be found afterwards.
      const failure = await capture("apt-get", [...options, "update"]).then(() => undefined, (error: unknown) => error);
      const usable = [...Deno.readDirSync(`${state}/lists`)].some((entry) => entry.name.includes("_Packages"));
      if (!usable) throw failure ?? new Error("apt-get update brought no package list");
    },
    async target(metapackage: string): Promise<string> {
      const depends = /^Depends: (\S+)/m.exec(await show(metapackage));
      if (depends?.[1] === undefined) throw new Error(`metapackage ${metapackage} depends on nothing`);
      return depends[1].replace(/,$/, "");
    },
    async download(name: string): Promise<{ readonly deb: string; readonly version: string }> {
      const version = /^Version: (\S+)/m.exec(await show(name))?.[1] ?? "unknown";
      const folder = Deno.makeTempDirSync({ dir: state, prefix: "deb-" });
      await capture("env", ["-C", folder, "apt-get", ...options, "download", name]);
      const deb = [...Deno.readDirSync(folder)].find((entry) => entry.name.endsWith(".deb"));
      if (deb === undefined) throw new Error(`apt-get downloaded no archive for ${name}`);
      return { deb: `${folder}/${deb.name}`, version };
    },
  };
}

/**
 * Unpacks chosen files of a package.
 *
 * @param deb Path of the archive.
 * @param into Folder that receives them under their paths in the package.
 * @param wanted Decides by that path, without a leading `./`.
 * @returns The paths unpacked, sorted.
 */
export async function extract(deb: string, into: string, wanted: (path: string) => boolean): Promise<string[]> {
  // `sh` only joins the two programs; every value reaches it as an argument, none as text of the script.
  const tar = (args: readonly string[]): Promise<string> =>
    capture("sh", ["-c", 'deb=$1; shift; dpkg-deb --fsys-tarfile "$deb" | tar "$@"', "sh", deb, ...args]);
  const names = (await tar(["-t"])).split("\n").filter((name) =>
    !name.endsWith("/") && wanted(name.replace(/^\.\//, ""))
  );
  if (names.length > 0) await tar(["-x", "--no-same-owner", "-C", into, "--", ...names]);
  return names.map((name) => name.replace(/^\.\//, "")).sort();
}
