import { connect, createServer } from 'node:net';

/**
 * A byte pipe and nothing else, `pipe.js PORT HOST:PORT...`: the yardstick. It parses nothing and pools nothing,
 * so what it costs is what Node's sockets cost.
 */
const [port, ...servers] = process.argv.slice(2);
let turn = 0;

createServer({ noDelay: true }, (client) => {
  const [host = '', serverPort] = (servers[turn++ % servers.length] ?? '').split(':');
  const server = connect({ host, port: Number(serverPort), noDelay: true });
  client.pipe(server).pipe(client);
  client.on('error', () => server.destroy());
  server.on('error', () => client.destroy());
  client.on('close', () => server.destroy());
  server.on('close', () => client.destroy());
}).listen(Number(port), '127.0.0.1', 4096);
