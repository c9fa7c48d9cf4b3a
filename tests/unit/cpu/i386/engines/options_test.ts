/** Options of the engines: each is known by name and kind, and what is none says so. */
import { ConfigError } from "../../../../../lib/core/errors.ts";
import { interpreterSettings } from "../../../../../lib/cpu/i386/engines/interpreter/options.ts";
import { jitSettings } from "../../../../../lib/cpu/i386/engines/jit/options.ts";
import { i386 } from "../../../../../lib/cpu/i386/factory.ts";
import { assertEquals, assertThrows } from "../../../../../scripts/deps/std.ts";

Deno.test("jitSettings(), interpreterSettings(): every switch is on, and off when asked", () => {
  const switches = Object.entries(jitSettings()).filter(([, value]) => typeof value === "boolean");
  assertEquals(switches.every(([, value]) => value === true), true);
  for (const [name] of switches) assertEquals(jitSettings({ [name]: false }), { ...jitSettings(), [name]: false });
  for (const name of Object.keys(interpreterSettings())) {
    assertEquals(interpreterSettings({ [name]: false }), { ...interpreterSettings(), [name]: false });
  }
});

Deno.test("i386(): an option that no engine has, or of another kind, is refused by name", () => {
  const wrong = (options: object): void => void i386({ engine: "jit", jit: options });
  const unknown = assertThrows(
    () => wrong({ lateChecks: true }),
    ConfigError,
    'No option "lateChecks" of the jit engine',
  );
  assertEquals(unknown.code, "config-key");
  assertThrows(() => wrong({ fuse: 1 }), ConfigError, 'Option "fuse" of the jit engine is a boolean, not 1');
  assertThrows(() => wrong({ threshold: "few" }), ConfigError, "is a number, not few");
  const split = { splitt: false } as object;
  assertThrows(() => i386({ engine: "interpreter", interpreter: split }), ConfigError, "of the interpreter engine");
});
