/**
 * Whether a path is `top` or lies below it; false for a text that is no absolute path. Both without ".", ".." and "//", as the
 * configuration, the kernel's tables and realpath(3) have them; slashes at the end do not count. Everything lies below "/".
 */
export function isAtOrBelow(path: string, top: string): boolean {
  const parent = withoutEnd(top);
  const child = withoutEnd(path);
  return path.startsWith('/') && (child === parent || child.startsWith(`${parent}/`));
}

/** "/" is nothing before its slash. */
function withoutEnd(path: string): string {
  return path.replace(/\/+$/, '');
}
