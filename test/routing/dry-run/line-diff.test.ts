import t from 'tap';
import { diffLines } from '../../../lib/routing/dry-run/line-diff.js';

function diff(before: string, after: string): string {
  return diffLines([...before], [...after])
    .map(({ sign, text }) => sign + text)
    .join(' ');
}

t.test('a diff lists removed and added lines in order', async (t) => {
  t.equal(diff('abc', 'abc'), '');
  t.equal(diff('', 'ab'), '+a +b');
  t.equal(diff('ab', ''), '-a -b');
  t.equal(diff('abc', 'axc'), '-b +x');
  t.equal(diff('abcd', 'bcde'), '-a +e');
  t.equal(diff('aab', 'ab'), '-a');
});
