/** Since Node 22.19 and 23.9. */
const { threadCpuUsage = process.cpuUsage } = process as NodeJS.Process & {
  threadCpuUsage?: () => NodeJS.CpuUsage;
};

/**
 * The processor time of this thread in ms; where Node does not tell it, that of the whole process. With several threads it shows
 * what something costs the thread that does it, and not what the others do meanwhile.
 */
export function threadTime(): number {
  const { user, system } = threadCpuUsage.call(process);
  return (user + system) / 1000;
}
