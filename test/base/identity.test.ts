import t from 'tap';
import { identityOf } from '../../lib/base/identity.js';

t.test('equal settings have one identity, others have another', async (t) => {
  t.equal(
    identityOf({ count: 5, statuses: [{ from: 401, to: 401 }] }),
    identityOf({ count: 5, statuses: [{ from: 401, to: 401 }] }),
  );
  t.not(identityOf({ count: 5 }), identityOf({ count: 6 }));
  t.equal(identityOf(null), identityOf(null));
  t.not(identityOf(null), identityOf({}));
});
