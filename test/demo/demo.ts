// `npm run demo`: a failover to watch; see stage.ts for what it runs on.
import { labUnavailable } from '../lab/requirements.js';
import { labStage } from './lab-stage.js';
import { rehearsalStage } from './rehearsal-stage.js';
import { tell } from './story.js';

const reason = labUnavailable();
const stage = reason === undefined ? await labStage() : await rehearsalStage(reason);
try {
  const survived = await tell(stage, (line) => {
    process.stdout.write(`${line}\n`);
  });
  process.exitCode = survived ? 0 : 1;
} finally {
  await stage.stop();
}
