import path from 'node:path';
import { within } from '../../host/running/deadline.js';
import { expectAnswer } from '../../host/reading/storage.js';
import { databaseName, recordDirectory } from '../../record/safe-files/record-directory.js';
import type { FailoverContext } from '../context.js';
import { limitOf } from '../limits.js';

/**
 * Before the record is opened: SQLite reads in this process, which a disk that does not answer would take along. Where there
 * is no record yet, or its volume is not mounted, that is an answer at once.
 */
export async function expectRecord({ host, config, floatingIp }: FailoverContext): Promise<void> {
  const { address, stateDirectory } = floatingIp;
  const file = path.join(recordDirectory(stateDirectory, address), databaseName);
  await within(limitOf(`Opening the record of ${address}`, config), () => expectAnswer(host, file));
}
