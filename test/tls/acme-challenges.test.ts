import t from 'tap';
import { AcmeChallenges } from '../../lib/tls/acme-challenges.js';
import { AcmeOrdering } from '../../lib/tls/acme-ordering.js';
import type { ChallengeOffer } from '../../lib/tls/acme-protocol.js';
import type { AcmeStore } from '../../lib/tls/acme-store.js';

const OFFER: ChallengeOffer = {
  host: 'www.a.test',
  token: 'token',
  keyAuthorization: 'token.key',
  pair: null,
};
const PATH = '/.well-known/acme-challenge/token';

t.test('a challenge that two have added is answered until both have removed it', async (t) => {
  const told: number[] = [];
  const challenges = new AcmeChallenges(async (tokens) => void told.push(tokens.length));
  await challenges.add(OFFER);
  await challenges.add({ ...OFFER });
  challenges.remove(OFFER);
  t.equal(challenges.answerFor(PATH), 'token.key');
  challenges.remove(OFFER);
  t.equal(challenges.answerFor(PATH), null);
  t.ok(challenges.isEmpty);
  challenges.remove(OFFER);
  t.same(told, [1, 1, 0]);
});

t.test('a challenge of tls-alpn-01 does not remove a token of http-01', async (t) => {
  const challenges = new AcmeChallenges();
  const pair = { cert: 'cert', key: 'key' };
  await challenges.add(OFFER);
  await challenges.add({ ...OFFER, pair });
  t.equal(challenges.certificateFor('www.a.test'), pair);
  challenges.remove({ ...OFFER, pair });
  t.equal(challenges.certificateFor('www.a.test'), null);
  t.equal(challenges.answerFor(PATH), 'token.key');
});

t.test('challenges of other nodes are not answered after the end', async (t) => {
  const challenges = new AcmeChallenges();
  const ordering = (): AcmeOrdering =>
    new AcmeOrdering(
      {
        directory: 'https://ca.test/dir',
        store: '/none',
        email: null,
        challenge: 'http-01',
        externalAccount: null,
        ca: null,
      },
      { store: {} as AcmeStore, challenges, onChange: () => {} },
    );
  const [before, after] = [ordering(), ordering()];
  await before.answerForOthers([OFFER]);
  await after.answerForOthers([OFFER]);
  before.stop();
  t.equal(challenges.answerFor(PATH), 'token.key', 'the one that follows answers');
  await before.answerForOthers([OFFER]);
  after.stop();
  t.ok(challenges.isEmpty);
});
