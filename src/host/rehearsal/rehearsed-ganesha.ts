import { renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import type { Argv, CommandResult, Host } from '../host.js';

const stateSchema = v.object({
  inGrace: v.boolean(),
  exports: v.array(v.tuple([v.number(), v.string()])),
  /** What was said of the last one: EVENT:ADDRESS. */
  grace: v.exactOptional(v.string()),
  /** Why it enters no grace. */
  refuses: v.exactOptional(v.string()),
  /** It does not run. */
  isDown: v.exactOptional(v.boolean()),
});
type State = v.InferOutput<typeof stateSchema>;

const file = '/dbus.json';

/** `busctl ... call org.ganesha.nfsd OBJECT INTERFACE METHOD ...`: NFS-Ganesha, whose exports and grace are a file of JSON. */
export function rehearseGanesha(host: Host, argv: Argv): CommandResult {
  const words = argv.slice(argv.indexOf('call') + 1);
  const [, , , method = '', , first = '', second = ''] = words;
  const before = v.parse(
    stateSchema,
    JSON.parse(host.readText(file) ?? '{ "inGrace": false, "exports": [] }'),
  );
  const become = (next: Partial<State>, ...data: unknown[]): CommandResult => {
    // Two commands of a node at once, as a takeover and join-grace --watch: each has a name of its own for what is not whole yet.
    const beside = `${host.path(file)}.${process.pid}`;
    writeFileSync(beside, JSON.stringify({ ...before, ...next }), { mode: 0o644 });
    renameSync(beside, host.path(file));
    return answer(data);
  };
  if (method === 'NameHasOwner') return answer([before.isDown !== true]);
  if (before.isDown === true) return refusal('The name is not activatable');
  switch (method) {
    case 'get_grace':
      return answer([before.inGrace, true, 'Success']);
    case 'grace':
      if (before.refuses !== undefined) return refusal(before.refuses);
      return become({ inGrace: true, grace: first }, true, 'Started grace period');
    case 'ShowExports':
      return answer([[0, 0], before.exports]);
    case 'AddExport':
    case 'UpdateExport': {
      const id = Number(/Export_Id=(\d+)/.exec(second)?.[1]);
      const others = before.exports.filter(([other]) => other !== id);
      const isThere = others.length < before.exports.length;
      const path = /\bPath = "([^"]*)"/.exec(host.readText(first) ?? '')?.[1];
      if (path === undefined || isThere === (method === 'AddExport'))
        return refusal(`Selected entries in ${first} already active!!!`);
      return become({ exports: [...others, [id, path]] }, '1 exports added');
    }
    case 'RemoveExport': {
      const exports = before.exports.filter(([id]) => id !== Number(first));
      if (exports.length === before.exports.length)
        return refusal('lookup_export failed with Export id not found');
      writeFileSync(host.path('/proc/locks'), '');
      return become({ exports });
    }
    default:
      return refusal(`Unknown method ${method}`);
  }
}

function answer(data: readonly unknown[]): CommandResult {
  return { exitCode: 0, stdout: data.length === 0 ? '' : JSON.stringify({ data }), stderr: '' };
}

function refusal(said: string): CommandResult {
  return { exitCode: 1, stdout: '', stderr: `Call failed: ${said}` };
}
