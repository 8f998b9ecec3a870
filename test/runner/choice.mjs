// Which phases the arguments ask for.

/**
 * All phases without arguments; else the named ones ("npm test -- unit wire", "--only lab") and those that
 * compile, since a test of yesterday's build proves nothing. What a phase is `beside`, or `after`, is the name of one of them, if any.
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
  const isChosen = ({ name, partOf, needed }) =>
    names.length === 0 || needed || names.includes(name) || names.includes(partOf);
  const chosen = phases.filter(isChosen);
  const begun = (name) => chosen.some((phase) => phase.name === name);
  return chosen.map((phase) => ({
    ...phase,
    beside: [phase.beside ?? []].flat().find(begun),
    after: [phase.after ?? []].flat().find(begun),
  }));
}
