import { connect, type Socket } from 'node:net';
import type { Assault } from '../attacks.js';

/**
 * The attacker, a program of its own. Told `{ port, connections, assault }` it begins, and answers when all its
 * connections have sent their head; told `count` it says how much it has got rid of.
 */

/** What came of it so far. */
export interface Count {
  /** That the balancer, or the kernel for it, has taken. */
  readonly bytes: number;
  /** Where each was waited for. */
  readonly answers: number;
  /** Connections opened. */
  readonly opened: number;
}

/** Connections that are opened at the same time. */
const AT_ONCE = 50;

let ended = 0;
let answers = 0;
let opened = 0;
const open = new Set<Socket>();

function sentOn(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}

function count(): Count {
  let bytes = ended;
  for (const socket of open) bytes += sentOn(socket);
  return { bytes, answers, opened };
}

/** One connection of the attack; another follows when it ends. Resolves when its head is sent. */
function attack(port: number, assault: Assault, head: Buffer, block: Buffer): Promise<void> {
  return new Promise((resolve) => {
    assail(port, assault, head, block, resolve);
  });
}

function assail(port: number, assault: Assault, head: Buffer, block: Buffer, onSent: () => void): void {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const flood = (): void => {
    if (!socket.destroyed && socket.writable) socket.write(block, flood);
  };
  open.add(socket);
  socket.on('connect', () => {
    opened++;
    if (head.length > 0) socket.write(head, onSent);
    else onSent();
    if (assault.waits) socket.write(block);
    else if (block.length > 0) flood();
  });
  socket.on('data', () => {
    if (!assault.waits) return;
    // Answers are small: each comes in one piece.
    answers++;
    socket.write(block);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    open.delete(socket);
    ended += sentOn(socket);
    onSent();
    setImmediate(assail, port, assault, head, block, () => {});
  });
}

interface Order {
  readonly port: number;
  readonly connections: number;
  readonly assault: Assault;
}

async function begin({ port, connections, assault }: Order): Promise<void> {
  const head = Buffer.from(assault.head, 'latin1');
  const block = Buffer.from(assault.block, 'latin1');
  for (let begun = 0; begun < connections; begun += AT_ONCE) {
    const some = Math.min(AT_ONCE, connections - begun);
    await Promise.all(Array.from({ length: some }, () => attack(port, assault, head, block)));
  }
}

process.on('message', (order: Order | 'count') => {
  if (order === 'count') process.send?.(count());
  else void begin(order).then(() => process.send?.('begun'));
});
process.on('disconnect', () => process.exit());
