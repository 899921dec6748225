import { type ExecFileOptions, execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

/** Runs a command and resolves with what it printed; rejects with that, too, when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { stdout, stderr } = await runFile(command, args, {
    ...options,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    error.message = `${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`;
    throw error;
  });
  return { stdout: String(stdout), stderr: String(stderr) };
}

/** Why a test of packages cannot run here; false when it can, or when it has to (LB_REQUIRE_PACKAGING). */
export function lacking(tools: readonly (readonly [tool: string, debianPackage: string])[]): string | false {
  if (process.env.LB_REQUIRE_PACKAGING === '1') return false;
  const missing = tools.filter(([tool]) => spawnSync(tool, ['--version']).error !== undefined);
  return (
    missing.length > 0 && `no ${missing.map(([tool, from]) => `${tool} (Debian: ${from})`).join(', no ')}`
  );
}
