import { parentPort, workerData } from 'node:worker_threads';
import type { AuthorityRequest } from './local-authority.js';
import { answerRequest } from './local-authority-issuer.js';

parentPort?.postMessage(await answerRequest(workerData as AuthorityRequest));
