import type { RequestRecord } from '../../lib/base/observer.js';
import { PLAIN_TRANSPORT } from '../../lib/base/transport-info.js';

/** A request that went well, with whatever a test wants to be different. */
export function recordOf(changes: Partial<RequestRecord> = {}): RequestRecord {
  return {
    requestId: '7f3a',
    startedAt: Date.UTC(2026, 0, 31, 12, 4, 5, 67),
    durationMs: 1.25,
    firstByteMs: 0.9876,
    clientAddress: '192.0.2.7',
    method: 'GET',
    target: '/users?id=3',
    protocol: 'HTTP/1.1',
    host: 'www.mango.com',
    route: 'www.mango.com',
    userAgent: 'curl/8.5.0',
    referer: '',
    traceId: '',
    spanId: '',
    trace: null,
    status: 200,
    server: 'mango-1',
    attempts: 1,
    tries: [{ server: 'mango-1', reason: '', status: 200, durationMs: 1.2, reused: true }],
    queueMs: 0,
    connectMs: 0,
    bytesIn: 0,
    bytesOut: 61,
    reason: '',
    detail: '',
    transport: PLAIN_TRANSPORT,
    requestHeadText: '',
    serverHeadText: '',
    responseHeadText: '',
    ...changes,
  };
}
