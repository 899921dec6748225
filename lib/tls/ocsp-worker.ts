import { request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { ocspRequest, readOcspResponse } from './ocsp.js';
import type { OcspFetch, OcspFetched } from './ocsp-stapler.js';

/** A response has some hundred bytes, with the certificate of its signer some thousand. */
const MAX_BYTES = 64 * 1024;
const DEADLINE_MS = 10_000;

async function fetchResponse({ leaf, issuer, url, now }: OcspFetch): Promise<OcspFetched> {
  const cert = Buffer.from(leaf);
  const authority = Buffer.from(issuer);
  try {
    const response = await post(url, ocspRequest(cert, authority));
    const answer = readOcspResponse(response, cert, authority, now);
    return { kind: 'fetched', response, ...answer };
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

function post(url: string, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/ocsp-request', 'Content-Length': body.length };
    const call = request(url, { method: 'POST', headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        parts.push(part);
        if (bytes > MAX_BYTES) call.destroy(new Error('the response is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts));
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    refuseUpgrade(call);
    const deadline = setTimeout(() => call.destroy(new Error('timed out')), DEADLINE_MS);
    call.on('close', () => clearTimeout(deadline));
    call.on('error', reject);
    call.end(body);
  });
}

parentPort?.postMessage(await fetchResponse(workerData as OcspFetch));
