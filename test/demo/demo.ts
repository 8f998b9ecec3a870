// `npm run demo`: a failover to watch; see stage.ts for what it runs on.
import { labUnavailable } from '../lab/requirements.js';
import { labStage } from './lab-stage.js';
import { rehearsalStage } from './rehearsal-stage.js';
import { play } from './story.js';

const reason = labUnavailable();
const stage = reason === undefined ? await labStage() : await rehearsalStage(reason);
// Whoever stops watching (Ctrl-C, `| head`) leaves nothing behind either.
const leave = async (): Promise<never> => {
  await stage.stop();
  process.exit(130);
};
process.once('SIGINT', () => void leave());
process.once('SIGTERM', () => void leave());
process.stdout.on('error', () => void leave());
try {
  const survived = await play(stage, (line) => {
    process.stdout.write(`${line}\n`);
  });
  process.exitCode = survived ? 0 : 1;
} finally {
  await stage.stop();
}
