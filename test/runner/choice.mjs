// Which phases the arguments ask for.

/**
 * All phases without arguments; else the named ones ("npm test -- unit wire", "--only lab") and those that
 * compile, since a test of yesterday's build proves nothing.
 *
 * @returns the phases in their order, or a sentence that says what is wrong
 */
export function chooseFrom(phases, args) {
  const names = args
    .filter((arg) => arg !== '--only')
    .flatMap((arg) => arg.replace(/^--only=/, '').split(','));
  const unknown = names.find((name) => !phases.some((phase) => phase.name === name));
  if (unknown !== undefined) {
    return `there is no phase "${unknown}"; write one or more of: ${phases.map(({ name }) => name).join(' ')}`;
  }
  return names.length === 0 ? phases : phases.filter(({ name, needed }) => needed || names.includes(name));
}
