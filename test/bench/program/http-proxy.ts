import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

/** The package http-proxy over a keep-alive agent, `http-proxy.js PORT HOST:PORT...`, in turn. */
const [port, ...servers] = process.argv.slice(2);
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }), xfwd: true });
let turn = 0;

createServer((request, response) => {
  proxy.web(request, response, { target: `http://${servers[turn++ % servers.length]}` }, () =>
    response.destroy(),
  );
}).listen(Number(port), '127.0.0.1', 4096);
