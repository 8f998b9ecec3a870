import { commandText, notSo } from '../../host/action.js';
import { waitUntil } from '../../host/running/wait.js';
import type { StepName } from '../../step-names.js';
import type { LockManagerAction } from '../port.js';
import { type Bus, type Call, callArgv, demand, faultError } from './bus.js';
import { askGrace, getGrace } from './methods.js';

/** A call that puts the server into grace. The answer is always true, whatever was asked: what get_grace says is believed. */
export function graceByCall(bus: Bus, call: Call, step: StepName): LockManagerAction {
  const isIn = async () => {
    const answer = await askGrace(bus);
    if (typeof answer === 'boolean') return answer;
    throw 'fault' in answer ? faultError(answer.fault, getGrace, bus.address) : notSo(step, 'no answer');
  };
  return {
    commands: [
      commandText(callArgv(bus.address, call)),
      `# wait until "${commandText(callArgv(bus.address, getGrace))}" begins with true: a lock call under way delays it`,
    ],
    byHand: [
      commandText(callArgv(bus.address, call)),
      `until ${commandText(callArgv(bus.address, getGrace))} | grep -q 'bbs true'; do sleep 1; done`,
    ],
    programs: ['busctl'],
    check: () => false,
    act: async ({ host }) => {
      await demand(bus, call, true);
      await waitUntil(host, 'NFS-Ganesha to be in grace', isIn, { intervalMs: 200 });
      return undefined;
    },
    verify: async () => {
      if (await isIn()) return;
      throw notSo(
        step,
        `NFS-Ganesha is not in grace after "grace ${call.args?.join(' ') ?? ''}", though it said so: reclaims would be refused`,
        'Its log says why ("Unable to start grace"). Then run the same command again.',
      );
    },
  };
}
