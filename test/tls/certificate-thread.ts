import * as net from 'node:net';
import * as tls from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { atOnce } from '../../lib/base/slices.js';
import type { TlsConfig } from '../../lib/config/types.js';
import type { CertificateNews, CertificateState } from '../../lib/tls/published-certificates.js';
import { ThreadCertificates } from '../../lib/tls/thread-certificates.js';

/** What the thread is started with. */
export interface CertificateThreadData {
  readonly config: TlsConfig;
  readonly state: CertificateState;
}

/** A thread that listens with the certificates that it is told of, and answers each news with `followed`. */
async function run({ config, state }: CertificateThreadData): Promise<void> {
  const certificates = new ThreadCertificates(state.ticketKeys);
  for (const news of state.news) certificates.take(news);
  certificates.install(atOnce(certificates.prepare(state.published)));
  const terms = certificates.termsOf(config);
  const server = net.createServer((socket) => {
    socket.once('data', (hello) => {
      // The tests ask for one name, `a.test`, or for the challenge of it.
      const isChallenge = hello.includes('acme-tls/1');
      const choice = terms.choose('a.test', isChallenge ? ['acme-tls/1'] : []);
      if (choice === null) {
        socket.destroy();
        return;
      }
      socket.pause();
      socket.unshift(hello);
      const connection = new tls.TLSSocket(socket, {
        isServer: true,
        secureContext: choice.context,
        requestCert: choice.clientAuth !== 'none',
        rejectUnauthorized: choice.clientAuth === 'require',
        ALPNProtocols: isChallenge ? ['acme-tls/1'] : ['http/1.1'],
      });
      connection.on('error', () => socket.destroy());
      connection.on('secure', () => {
        const { ssl } = connection as unknown as { ssl: { verifyError(): Error | null } };
        if (choice.clientAuth === 'require' && ssl.verifyError() !== null) connection.destroy();
        else connection.end('hello');
      });
    });
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  parentPort?.on('message', (news: CertificateNews) => {
    void certificates.follow(news).then(() => parentPort?.postMessage('followed'));
  });
  parentPort?.postMessage((server.address() as net.AddressInfo).port);
}

await run(workerData as CertificateThreadData);
