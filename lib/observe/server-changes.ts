/** The most names of servers in one line. */
const MOST_NAMES = 20;

/** What a source of servers has changed, in one line: `10.0.0.7:80, 10.0.0.8:80 came; 10.0.0.5:80 left`. */
export function serverChanges(came: readonly string[], left: readonly string[]): string {
  const parts = [
    came.length > 0 ? `${listed(came)} came` : '',
    left.length > 0 ? `${listed(left)} left` : '',
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ');
}
