import type { Container, ContainerNetwork } from './docker-containers.js';

/** Networks that connect machines of a swarm; no container is meant to be reached by them. */
const INNER_NETWORKS: readonly string[] = ['ingress', 'docker_gwbridge'];

/** From where containers are reached. */
export interface Viewpoint {
  /** The container that this process is in; null: it is in none that the engine knows. */
  readonly self: Container | null;
  /** The machine of the engine, as it is reached from here. */
  readonly machine: string;
  readonly byId: ReadonlyMap<string, Container>;
}

/** The IP address of a container, or why there is none. */
export type Found = { readonly address: string } | { readonly problem: string };

/**
 * The address by which a container is reached: in the network that is asked for, or in one that this process is in too; a
 * process on the machine itself reaches all of them. `network`: a name, perhaps as it stands in a compose file.
 */
export function findAddress(container: Container, network: string | null, view: Viewpoint): Found {
  const { self, machine, byId } = view;
  const { networkMode } = container;
  const isOnMachine = self === null || self.networkMode === 'host';
  if (networkMode === 'host')
    return isOnMachine
      ? { address: machine }
      : { problem: 'it uses the network of the machine, which is not reached from this container' };
  if (networkMode.startsWith('container:')) {
    const other = byId.get(networkMode.slice('container:'.length));
    if (other === undefined || other.networkMode.startsWith('container:'))
      return { problem: 'it uses the network of a container that is not there' };
    return findAddress(other, network, view);
  }
  const known = container.networks.filter(({ address }) => address !== '');
  if (network !== null) {
    const project = container.labels.get('com.docker.compose.project');
    const wanted =
      known.find(({ name }) => name === network) ??
      known.find(({ name }) => name === `${project}_${network}`);
    if (wanted !== undefined) return { address: wanted.address };
    return {
      problem: `it is not in the network ${network}${known.length === 0 ? '' : `, but in ${namesOf(known)}`}`,
    };
  }
  const usable = known.filter(({ name }) => !INNER_NETWORKS.includes(name));
  const [first] = usable;
  if (first === undefined) return { problem: 'it has no address in any network' };
  if (isOnMachine) return { address: first.address };
  const ours = new Set(self.networks.map(({ name }) => name));
  const shared = usable.find(({ name }) => ours.has(name));
  if (shared !== undefined) return { address: shared.address };
  return {
    problem: `it is in ${namesOf(usable)}, and this container (${self.name}) in none of these networks`,
  };
}

function namesOf(networks: readonly ContainerNetwork[]): string {
  return networks.map(({ name }) => name).join(', ');
}
