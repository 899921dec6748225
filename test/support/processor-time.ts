/**
 * Milliseconds this process has been running on a processor. What takes long by this measure does so on a busy machine and on an
 * idle one; by the clock on the wall a test would measure its neighbours.
 */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
