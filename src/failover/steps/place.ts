import { type Action, commandText, type HostContext, notSo } from '../../host/action.js';
import type { ServicePlace } from '../../lockmanager/port.js';

/** An action on the part of the host where the address is served; on the host itself where there is no such part. */
export function inPlace(place: ServicePlace | undefined, action: Action<HostContext>): Action<HostContext> {
  if (place === undefined) return action;
  const there = { host: place.host };
  return {
    ...action,
    commands: action.commands.map((command) => `${commandText(place.prefix)} ${command}`),
    check: () => {
      if (!place.exists()) {
        throw notSo(
          'B-2',
          'The instance of this address does not run, so there is nothing to serve it from',
          'Run B-2 first.',
        );
      }
      return action.check(there);
    },
    act: () => action.act(there),
    verify: () => action.verify(there),
  };
}

/** The same for what is to be taken away: gone with the place, if the place is gone. */
export function unlessGone(
  place: ServicePlace | undefined,
  action: Action<HostContext>,
): Action<HostContext> {
  if (place === undefined) return action;
  const there = inPlace(place, action);
  return { ...there, check: (context) => !place.exists() || there.check(context) };
}
