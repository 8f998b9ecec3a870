// ava's TAP names a test "config › names › refused", after its file; this finds the file again.

/** The file of a test's title; the only file if there is just one, since ava gives no prefix then. */
export function fileOfTitle(files, title) {
  if (files.length === 1) return files[0];
  const lengths = files.map((file) => ({ file, length: prefixLength(file, title) }));
  return lengths.filter(({ length }) => length > 0).toSorted((a, b) => b.length - a.length)[0]?.file;
}

/** How much of the title is an end of the file's path, without what all files have in common before it. */
function prefixLength(file, title) {
  const parts = file.replace(/\.test\.m?js$/, '').split('/');
  const prefixes = parts.map((_, from) => `${parts.slice(from).join(' › ')} › `);
  return Math.max(...prefixes.map((prefix) => (title.startsWith(prefix) ? prefix.length : 0)));
}
