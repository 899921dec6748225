import { counter, type Family, gauge, one } from './families.js';
import type { ProcessFigures } from './process-figures.js';

/** The costs of the process, under the names that Prometheus' own clients use. */
export function processFamilies(figures: ProcessFigures): readonly Family[] {
  const lag = gauge('nodejs_eventloop_lag_seconds', 'Delay of the event loop since the last scrape.', () =>
    Object.entries(figures.takeLag()).map(([stat, value]) => ({ labels: { stat }, value })),
  );
  return [
    counter('process_cpu_seconds_total', 'CPU time.', () => one(figures.cpu.user + figures.cpu.system)),
    counter('process_cpu_user_seconds_total', 'CPU time used by the program.', () => one(figures.cpu.user)),
    counter('process_cpu_system_seconds_total', 'CPU time used by the system on its behalf.', () =>
      one(figures.cpu.system),
    ),
    gauge('process_start_time_seconds', 'Time of the start.', () => one(figures.startedAt)),
    gauge('process_resident_memory_bytes', 'Memory.', () => one(figures.memory.rss)),
    gauge('process_open_fds', 'Open files and sockets.', () => known(figures.openFiles)),
    gauge('process_max_fds', 'Maximum number of open files and sockets.', () => known(figures.mostFiles)),
    gauge('nodejs_heap_size_used_bytes', 'Memory of JavaScript objects.', () => one(figures.memory.heapUsed)),
    gauge('nodejs_heap_size_total_bytes', 'Memory reserved for JavaScript objects.', () =>
      one(figures.memory.heapTotal),
    ),
    gauge('nodejs_external_memory_bytes', 'Buffers and the like.', () => one(figures.memory.external)),
    counter('nodejs_eventloop_busy_seconds_total', 'Time the event loop was busy.', () =>
      one(figures.loop.active / 1000),
    ),
    lag,
  ];
}

function known(value: number): ReturnType<typeof one> {
  return value < 0 ? [] : one(value);
}
