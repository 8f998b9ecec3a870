import { commandText } from '../../host/host.js';
import { missingOf } from './apply.js';
import { merge, section } from './cib/merge.js';
import { type Element, withId, xmlText } from './cib/xml.js';
import { createText } from './commands.js';
import type { Format } from './formats.js';
import { type ClusterConfig, constraintIds } from './model.js';

/**
 * What a person runs so that a cluster with this CIB has all of it: what is missing as in the format, what is otherwise with cibadmin, as
 * with --apply. Empty: nothing is to be done.
 */
export function changesText(cib: Element, config: ClusterConfig, format: Format): string {
  const { cib: next, parts } = merge(cib, config);
  const idsOf = (wanted: (typeof parts)[number]['state']) =>
    parts.filter(({ state }) => state === wanted).map(({ id }) => id);
  const missing = missingOf(config, parts);
  const isMissing = missing.resources.length + constraintIds(missing).length > 0;
  const path = (id: string) => `//configuration//*[@id="${id}"]`;
  const changed = idsOf('updated').flatMap((id) => {
    const one = withId(section(next, 'configuration'), id);
    return one === undefined
      ? []
      : [
          `${commandText(['cibadmin', '--replace', '--xpath', path(id), '--xml-pipe'])} <<'END'\n${xmlText(one)}END\n`,
        ];
  });
  const removed = idsOf('removed').map(
    (id) => `${commandText(['cibadmin', '--delete', '--xpath', path(id)])}\n`,
  );
  return [isMissing ? createText(missing, format) : '', ...changed, ...removed].join('');
}
