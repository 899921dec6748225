import t from 'tap';
import { outcomeOf, readCorpus } from '../support/corpus.js';
import { RequestReader, ResponseReader } from '../support/transport.js';

t.test('every request of the corpus has the outcome listed in its table', async (t) => {
  for (const { name, bytes, outcome } of readCorpus('requests')) {
    t.equal(outcomeOf(new RequestReader().read([bytes])), outcome, name);
  }
});

t.test('every response of the corpus has the outcome listed in its table', async (t) => {
  for (const { name, bytes, outcome } of readCorpus('responses')) {
    t.equal(outcomeOf(new ResponseReader().read([bytes], { ends: true })), outcome, name);
  }
});

t.test('no smuggled request of the corpus is parsed as a request', async (t) => {
  for (const { name, bytes, outcome } of readCorpus('requests')) {
    if (!name.startsWith('smuggling/') || outcome.startsWith('ok')) continue;
    const { messages } = new RequestReader().read([bytes]);
    t.notOk(
      messages.some(({ head }) => head.includes('/smuggled')),
      name,
    );
  }
});

t.test('a parser that refused one message reads the next one normally', async (t) => {
  const requests = new RequestReader();
  const responses = new ResponseReader();
  const good = (kind: 'requests' | 'responses', name: string): Buffer =>
    readCorpus(kind).find((sample) => sample.name === name)?.bytes ?? Buffer.alloc(0);
  const request = good('requests', 'chunk-extensions');
  const response = good('responses', 'chunked');
  const expectedRequest = new RequestReader().read([request]);
  const expectedResponse = new ResponseReader().read([response]);
  for (const { name, bytes } of readCorpus('requests')) {
    requests.read([bytes]);
    t.same(requests.read([request]), expectedRequest, name);
  }
  for (const { name, bytes } of readCorpus('responses')) {
    responses.read([bytes]);
    t.same(responses.read([response]), expectedResponse, name);
  }
});
