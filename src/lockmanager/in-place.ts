import { type Action, enteringText, handLines, notSo } from '../host/action.js';
import type { LockManagerContext, ServingPlace } from './port.js';

type Place = Pick<ServingPlace, 'host' | 'enter' | 'absence' | 'canBeEntered' | 'isUnfinished'>;

/** An action where the address is served. Fails where there is no such place: it is B-2 that makes it. */
export function inPlace(place: Place, action: Action<LockManagerContext>): Action<LockManagerContext> {
  const { enter } = place;
  if (enter.length === 0) return action;
  const there = (context: LockManagerContext) => ({ ...context, host: place.host });
  return {
    ...action,
    commands: action.commands.map((line) => enteringText(enter, line)),
    byHand: handLines(action).map((line) => enteringText(enter, line)),
    check: (context) => {
      const absence = place.absence();
      if (absence !== undefined) throw notSo('B-2', absence, 'Run B-2 first.');
      return action.check(there(context));
    },
    // Where the place is still to be made, or made anew, that is looked at by who makes it.
    look: (context, options) =>
      place.absence() === undefined && place.canBeEntered?.() !== false
        ? action.look?.(there(context), options)
        : undefined,
    act: (context) => action.act(there(context)),
    verify: (context) => action.verify(there(context)),
  };
}

/** Whether nothing can be served from a place: it is not there, or not whole. */
export function servesNothing(place: Pick<ServingPlace, 'absence' | 'isUnfinished'>): boolean {
  return place.absence() !== undefined || place.isUnfinished?.() === true;
}

/** An action in a place that takes something away: where nothing is served from there, there is nothing to do. */
export function unlessGone(place: Place, action: Action<LockManagerContext>): Action<LockManagerContext> {
  const there = inPlace(place, action);
  return { ...there, check: (context) => servesNothing(place) || there.check(context) };
}
