import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { processorTime } from '../../lib/base/processor-time.js';
import { type LoadResult, loadConfig } from '../../lib/config/config.js';
import type { Config } from '../../lib/config/types.js';
import { IpAllow, IpReject } from '../../lib/firewall/address-list.js';
import { ip } from '../firewall/support.js';

const SETTINGS = 'servers: [localhost:1]\nfirewall_rules: { ip_reject: [{ file: list.txt }] }\n';

function load(directory: string, text = SETTINGS): LoadResult {
  return loadConfig(text, { directory, env: {} });
}

function accepted(result: LoadResult): Config {
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.config;
}

function messages(result: LoadResult): readonly string[] {
  return result.ok ? [] : result.problems.map(({ message }) => message);
}

function rejecting(config: Config): IpReject {
  return new IpReject(config.firewall?.ipReject ?? []);
}

t.test('a list of a million addresses loads in less than two seconds', async (t) => {
  const directory = t.testdir();
  const lines = Array.from(
    { length: 1_000_000 },
    (_, n) => `${1 + (n % 223)}.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
  );
  writeFileSync(join(directory, 'list.txt'), lines.join('\n'));
  const started = processorTime();
  const config = accepted(load(directory));
  const guard = rejecting(config);
  const spent = processorTime() - started;
  t.ok(spent < 2000, `${Math.round(spent)} ms`);
  t.match(config.firewall?.ipReject, [{ file: 'list.txt', entries: 1_000_000 }]);
  t.notOk(guard.admits(ip(lines[777_777] as string)));
  t.ok(guard.admits(ip('225.0.0.1')));
});

t.test('a long list of IPv6 networks is merged, in any order', async (t) => {
  const directory = t.testdir();
  const lines = Array.from(
    { length: 200_000 },
    (_, n) => `2001:db8:${((n * 7919) % 65_521).toString(16)}:${(n >> 4).toString(16)}::/64`,
  );
  writeFileSync(join(directory, 'list.txt'), lines.join('\n'));
  const guard = rejecting(accepted(load(directory)));
  for (const line of lines.slice(0, 1000)) t.notOk(guard.admits(ip(line.replace('::/64', '::1'))), line);
  t.ok(guard.admits(ip('2001:db9::1')));
});

t.test('a list has comments, blank lines and either line end', async (t) => {
  const text = '\ufeff192.0.2.1 # one\r\n\r\n# none\n   10.0.0.0/8\t# a network\n\n2001:db8::/32';
  const config = accepted(load(t.testdir({ 'list.txt': text })));
  const guard = rejecting(config);
  t.match(config.firewall?.ipReject, [{ entries: 3 }]);
  for (const address of ['192.0.2.1', '10.1.2.3', '2001:db8::1']) t.notOk(guard.admits(ip(address)), address);
  t.ok(guard.admits(ip('192.0.2.2')));
});

t.test('the first five bad lines of a list are reported, and the number of the rest', async (t) => {
  const result = load(t.testdir({ 'list.txt': `192.0.2.1\n${'what\n'.repeat(100_000)}` }));
  t.same(messages(result), [
    ...[2, 3, 4, 5, 6].map(
      (line) => `list.txt:${line}: expected an address or CIDR such as 10.0.0.0/8, got "what"`,
    ),
    'list.txt has 99995 more bad lines',
  ]);
});

t.test('a list that is not a regular file is refused', async (t) => {
  const directory = t.testdir();
  execFileSync('mkfifo', [join(directory, 'list.txt')]);
  t.same(messages(load(directory)), ['list.txt cannot be read: it is a named pipe, not a regular file']);
  t.same(messages(load(directory, SETTINGS.replace('list.txt', '/dev/zero'))), [
    '/dev/zero cannot be read: it is a device, not a regular file',
  ]);
  t.same(messages(load(directory, SETTINGS.replace('list.txt', '.'))), [
    '. cannot be read: it is a directory, not a regular file',
  ]);
});

t.test(
  'a list that a thousand hosts name is read once, and its faults are reported at the first place',
  async (t) => {
    const hosts = Array.from(
      { length: 1000 },
      (_, n) =>
        `  - { host: h${n}.test, servers: [localhost:1], firewall_rules: { ip_allow: [{ file: list.txt }] } }\n`,
    );
    const lines = Array.from({ length: 20_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}\n`);
    const started = processorTime();
    const { hosts: compiled } = accepted(
      load(t.testdir({ 'list.txt': lines.join('') }), `hosts:\n${hosts.join('')}`),
    );
    t.ok(processorTime() - started < 3000);
    const [first, last] = [compiled[0], compiled[999]].map(
      (host) => host?.scope.fallback?.firewalls[0]?.ipAllow?.[0],
    );
    t.equal(first, last);
  },
);

t.test('an empty file as ip_allow lets no client in', async (t) => {
  const settings = SETTINGS.replace('ip_reject', 'ip_allow');
  const { firewall } = accepted(load(t.testdir({ 'list.txt': '# nobody yet\n' }), settings));
  t.notOk(new IpAllow(firewall?.ipAllow ?? []).admits(ip('192.0.2.1')));
});

t.test('files of the same addresses hold the same ranges, others do not', async (t) => {
  const write = (text: string): string => {
    const entries = accepted(load(t.testdir({ 'list.txt': text }))).firewall?.ipReject ?? [];
    return JSON.stringify(entries.map((entry) => ('ranges' in entry ? entry.ranges : entry.text)));
  };
  t.equal(write('192.0.2.1\n10.0.0.0/8\n'), write('10.0.0.0/8 # first\n192.0.2.1\n192.0.2.1\n'));
  t.not(write('192.0.2.1\n'), write('192.0.2.2\n'));
  t.not(write('192.0.2.1\n'), write('2001:db8::1\n'));
});
