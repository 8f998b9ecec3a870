/** Controls, what is invisible or turns the direction of text, what is no character, and what ends a line without being a newline. */
const unsafe = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A name that others chose, as a terminal may be shown it: what would move its cursor, or reorder the line, as \u{hex}.
 * Nothing in it can pass for the next line of what is printed.
 */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * Whatever a command prints, JSON among it: newlines stay, and the rest of what is unsafe becomes \uNNNN, which JSON
 * takes for what it stands for. (JSON.stringify leaves DEL, C1 with its one-byte CSI, and the overrides of direction.)
 */
export function printableText(text: string): string {
  return text.replace(unsafe, (character) =>
    character === '\n'
      ? character
      : Array.from(
          { length: character.length },
          (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
        ).join(''),
  );
}
