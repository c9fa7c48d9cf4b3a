/** What every device does when it loads a section. Cold. */
import type { Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";

/**
 * Fields of a section whose version is the one this library reads.
 * @throws {ConfigError} snapshot-version
 */
export function fieldsOf(section: Section, name: string, version = 1): Section["fields"] {
  if (section.version !== version) {
    throw new ConfigError(
      "snapshot-version",
      `Section "${name}" has version ${section.version}, this library reads ${version}; save the snapshot again`,
    );
  }
  return section.fields;
}
