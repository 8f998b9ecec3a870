/**
 * Whether a path is `top` or lies below it; false for a text that is no absolute path. Both without ".", ".." and "//", as the
 * configuration, the kernel's tables and realpath(3) have them; slashes at the end do not count. Everything lies below "/".
 */
export function isAtOrBelow(path: string, top: string): boolean {
  const parent = withoutEnd(top);
  const child = withoutEnd(path);
  return path.startsWith('/') && (child === parent || child.startsWith(`${parent}/`));
}

/** Of several directories the nearest that the path is, or lies below; undefined where it is below none. */
export function nearestAbove(path: string, tops: readonly string[]): string | undefined {
  const above = tops.filter((top) => isAtOrBelow(path, top));
  return above.toSorted((a, b) => withoutEnd(b).length - withoutEnd(a).length)[0];
}

/** "/" is nothing before its slash. */
function withoutEnd(path: string): string {
  return path.replace(/\/+$/, '');
}
