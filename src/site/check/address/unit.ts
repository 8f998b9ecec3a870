import { isRecording } from '../../../rundir/serving.js';
import { isLeftOut, leftOut, unitState } from '../../unit/unit-state.js';
import { type AddressSite, type Check, ok, warning } from '../check.js';

/** After a takeover by hand the unit is inactive, and systemd stops at a shutdown only what it has started. */
export const unitCheck: Check<AddressSite> = {
  name: 'unit',
  text: 'where the address is served here and nlm-failover@ADDRESS.service is enabled: that it is active too, else a reboot releases nothing',
  look: async ({ ip, reader: { host }, context }) => {
    const state = await unitState(host, ip.address);
    if (state === undefined) return [ok('no systemd here')];
    if (!isLeftOut(state) || !isRecording(context.run, ip.address))
      return [ok(`${state.unit} is ${state.active}, ${state.file}`)];
    const { message, hint } = leftOut(state);
    return [warning(message, `${hint}.`)];
  },
};
