import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

/**
 * One server of the comparison, a program of its own: `node origin.js PORT FILE`. A line in FILE for each request, when
 * its head comes: the time and the request line. `/` is for health checks. Told `break`, it resets every connection in
 * the middle of its answer, until told `mend`.
 */
const [port = '', file = ''] = process.argv.slice(2);
const log = openSync(file, 'a');
const BODY = 'x'.repeat(4000);
let broken = false;

const server = createServer((request, response) => {
  const { method, url = '' } = request;
  if (url === '/') {
    response.end('ok\n');
    return;
  }
  // Written at once: it must be there though the next thing that happens is SIGKILL.
  writeSync(log, `${Date.now()} ${method} ${url}\n`);
  request.resume();
  request.on('end', () => {
    const body = `${method} ${url} ${BODY}`;
    response.setHeader('Content-Length', body.length);
    if (!broken) {
      response.end(body);
      return;
    }
    response.write(body.slice(0, 1000), () => request.socket.resetAndDestroy());
  });
});
// Longer than any balancer keeps its connections: none goes stale by age.
server.keepAliveTimeout = 120_000;
server.listen(Number(port), '127.0.0.1', () => process.send?.('listening'));

process.on('message', (order) => {
  broken = order === 'break';
});
process.on('disconnect', () => process.exit());
