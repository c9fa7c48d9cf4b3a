/**
 * The archive writer: against a reader written out here from the format's description, and against the real cpio.
 */
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { type CpioEntry, writeCpio } from "../../../lib/base/cpio.ts";
import { toolSync } from "../../guests/tool.ts";

const ENTRIES: readonly CpioEntry[] = [
  { kind: "directory", path: "/dev", mode: 0o700 },
  { kind: "device", path: "/dev/console", type: "char", major: 5, minor: 1 },
  { kind: "device", path: "dev/sda", type: "block", major: 8, minor: 0, mode: 0o660 },
  { kind: "file", path: "bin/busybox", data: Uint8Array.of(1, 2, 3, 4, 5), mode: 0o4755 },
  { kind: "symlink", path: "bin/sh", target: "busybox" },
  { kind: "file", path: "a/b/ü.txt", data: "text" },
  { kind: "file", path: "empty", data: "" },
];

interface Read {
  name: string;
  mode: number;
  nlink: number;
  data: Uint8Array;
  rdev: [number, number];
  inode: number;
}

function read(archive: Uint8Array): Read[] {
  const out: Read[] = [];
  const text = new TextDecoder();
  for (let at = 0;;) {
    assertEquals(at % 4, 0);
    assertEquals(text.decode(archive.subarray(at, at + 6)), "070701");
    const field = (n: number): number => parseInt(text.decode(archive.subarray(at + 6 + n * 8, at + 14 + n * 8)), 16);
    const [inode, mode, nlink, size, nameBytes] = [field(0), field(1), field(4), field(6), field(11)];
    assertEquals(archive[at + 110 + nameBytes - 1], 0);
    const name = text.decode(archive.subarray(at + 110, at + 110 + nameBytes - 1));
    const start = Math.ceil((at + 110 + nameBytes) / 4) * 4;
    if (name === "TRAILER!!!") {
      assert(archive.subarray(start).every((byte) => byte === 0));
      return out;
    }
    out.push({ name, mode, nlink, data: archive.slice(start, start + size), rdev: [field(9), field(10)], inode });
    at = Math.ceil((start + size) / 4) * 4;
  }
}

Deno.test("writeCpio() writes each kind with type, mode, device number and data", () => {
  const all = new Map(read(writeCpio(ENTRIES)).map((entry) => [entry.name, entry]));
  assertEquals([...all.keys()], [
    "dev",
    "dev/console",
    "dev/sda",
    "bin",
    "bin/busybox",
    "bin/sh",
    "a",
    "a/b",
    "a/b/ü.txt",
    "empty",
  ]);
  assertEquals([...all.values()].map((entry) => entry.mode), [
    0o040700,
    0o020600,
    0o060660,
    0o040755,
    0o104755,
    0o120777,
    0o040755,
    0o040755,
    0o100644,
    0o100644,
  ]);
  assertEquals(all.get("dev/console")?.rdev, [5, 1]);
  assertEquals(all.get("dev/sda")?.rdev, [8, 0]);
  assertEquals(all.get("bin/busybox")?.data, Uint8Array.of(1, 2, 3, 4, 5));
  assertEquals(new TextDecoder().decode(all.get("bin/sh")?.data), "busybox");
  assertEquals(all.get("empty")?.data.length, 0);
  assertEquals([...all.values()].map((entry) => entry.nlink), [2, 1, 1, 2, 1, 1, 2, 2, 1, 1]);
  assertEquals(new Set([...all.values()].map((entry) => entry.inode)).size, all.size);
});

Deno.test("writeCpio() gives equal bytes for equal lists, in whole blocks, and nothing but a trailer for an empty list", () => {
  assertEquals(writeCpio(ENTRIES), writeCpio(structuredClone(ENTRIES)));
  assertEquals(writeCpio(ENTRIES).length % 512, 0);
  assertEquals([writeCpio([]).length, read(writeCpio([])).length], [512, 0]);
});

Deno.test("writeCpio() puts a listed parent before a child that was listed earlier", () => {
  const archive = writeCpio([
    { kind: "file", path: "x/y", data: "" },
    { kind: "directory", path: "x", mode: 0o711 },
  ]);
  assertEquals(read(archive).map(({ name, mode }) => [name, mode]), [["x", 0o040711], ["x/y", 0o100644]]);
});

Deno.test("writeCpio() refuses paths and numbers that no archive can mean", () => {
  for (const path of ["", "/", "a//b", "../x", "a/./b", "TRAILER!!!", "a\0b"]) {
    assertThrows(() => writeCpio([{ kind: "file", path, data: "" }]), RangeError, "path", path);
  }
  const file: CpioEntry = { kind: "file", path: "a", data: "" };
  assertThrows(() => writeCpio([file, file]), RangeError, "twice");
  assertThrows(() => writeCpio([file, { ...file, path: "a/b" }]), RangeError, "no directory");
  assertThrows(() => writeCpio([{ ...file, mode: 0o100644 }]), RangeError, "mode");
  assertThrows(() => writeCpio([{ kind: "device", path: "d", type: "char", major: -1, minor: 0 }]), RangeError, "u32");
});

const cpio = toolSync("cpio");
Deno.test({
  name: "writeCpio() is read by the real cpio",
  ignore: !cpio.available,
  async fn() {
    assert(cpio.available);
    const child = new Deno.Command(cpio.path, {
      args: ["-itv", "--numeric-uid-gid"],
      env: { LC_ALL: "C", TZ: "UTC" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(writeCpio(ENTRIES.filter((entry) => !entry.path.includes("ü"))));
    await writer.close();
    const { success, stdout } = await child.output();
    assert(success);
    const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.replaceAll(/ +/g, " "));
    assertEquals(lines, [
      "drwx------ 2 0 0 0 Jan 1 1970 dev",
      "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
      "brw-rw---- 1 0 0 8, 0 Jan 1 1970 dev/sda",
      "drwxr-xr-x 2 0 0 0 Jan 1 1970 bin",
      "-rwsr-xr-x 1 0 0 5 Jan 1 1970 bin/busybox",
      "lrwxrwxrwx 1 0 0 7 Jan 1 1970 bin/sh -> busybox",
      "-rw-r--r-- 1 0 0 0 Jan 1 1970 empty",
    ]);
  },
});
