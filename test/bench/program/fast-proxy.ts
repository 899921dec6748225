import { createServer } from 'node:http';
import fastProxy from 'fast-proxy';

/** The package fast-proxy with its own keep-alive agent, `fast-proxy.js PORT HOST:PORT...`, in turn. */
const [port, ...servers] = process.argv.slice(2);
const { proxy } = fastProxy({});
const bases = servers.map((server) => ({ base: `http://${server}` }));
let turn = 0;

createServer((request, response) => {
  proxy(request, response, request.url ?? '/', bases[turn++ % bases.length]);
}).listen(Number(port), '127.0.0.1', 4096);
