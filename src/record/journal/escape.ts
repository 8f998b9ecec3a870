/** Foreign bytes (latin1) as text that is safe on a terminal and in JSON: what is not printable ASCII as \xNN. */
export function escapeBytes(text: string, limit: number): string {
  const cut = text.length > limit ? text.slice(0, limit) : text;
  const safe = cut.replaceAll(
    /[^ -[\]-~]/gu,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return cut.length < text.length ? `${safe}...` : safe;
}
