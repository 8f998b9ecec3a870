/**
 * The day of a version, YYYY-MM-DD, as the text of CHANGELOG.md has it in the version's heading: "## 0.1.0 - 2026-11-26", or
 * "## 0.1.0 - unreleased, 2026-11-26" while it is being made. Throws where it has none.
 */
export function dateOf(version: string, changelog: string): string {
  for (const [, of, date] of changelog.matchAll(/^## (\S+) - (?:unreleased, )?(\d{4}-\d\d-\d\d)$/gm))
    if (of === version && date !== undefined) return date;
  throw new Error(
    `CHANGELOG.md has no heading "## ${version} - YYYY-MM-DD", or "## ${version} - unreleased, YYYY-MM-DD"`,
  );
}
