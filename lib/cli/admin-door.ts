import type { Admin } from '../admin/admin.js';
import type { Balancer } from '../balancer.js';
import type { Narrator } from './narrator.js';
import type { Plan } from './plan.js';
import type { Reload } from './reload.js';

/** What is behind the admin listener. */
export interface AdminParts {
  readonly plan: Plan;
  readonly balancer: Balancer;
  readonly reload: Reload;
  readonly narrator: Narrator;
}

/** Opens the admin listener. Rejects with the system's error when its address can't be bound. */
export async function openAdmin(
  admin: Admin,
  { plan, balancer, reload, narrator }: AdminParts,
): Promise<void> {
  const services = {
    reload: plan.file === null ? null : () => reload.run(),
    metrics: null,
    report: (error: unknown) =>
      narrator.warning(`admin: ${error instanceof Error ? error.stack : String(error)}`),
  };
  try {
    await admin.open(balancer, services);
  } catch (error) {
    // Nobody asked for the port of the demo: another one is as good.
    const { listen } = plan.config.admin ?? {};
    if (!plan.isDemo || listen?.kind !== 'tcp' || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE')
      throw error;
    await admin.open(balancer, services, { ...listen, port: 0 });
  }
}
