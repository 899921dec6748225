import type { Test } from 'tap';
import { Program, type ProgramOptions } from './support.js';

/** Runs the real program; whatever a test forgets is stopped with it. */
export function start(t: Test, args: readonly string[], options: ProgramOptions = {}): Program {
  const program = new Program(args, options);
  t.teardown(() => program.kill());
  return program;
}

/** The address in the banner. */
export function url(program: Program): Promise<string> {
  return program.onStderr(/curl (http:\S+)/);
}

/** As `fetch`, on a connection that is not kept. */
export async function get(target: string): Promise<{ status: number; text: string }> {
  const response = await fetch(target, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}
