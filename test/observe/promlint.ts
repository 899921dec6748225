/** What `promtool check metrics` would complain of, and what the format itself asks for: a line each. */
export function promlint(text: string): string[] {
  const families = readFamilies(text);
  const found = families.flatMap((family) =>
    [...complaintsOf(family)].map((what) => `${family.name}: ${what}`),
  );
  const names = families.map(({ name }) => name);
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index)))
    found.push(`${name}: its lines are not in one place`);
  if (!text.endsWith('\n')) found.push('the last line has no end');
  return found;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: string;
}

/** Each begins with its HELP and TYPE; a line that is neither of these nor a sample has no family. */
function readFamilies(text: string): Family[] {
  const families: { name: string; help: string; type: string; samples: Sample[] }[] = [];
  for (const line of text.split('\n')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    let family = families.at(-1);
    if (kind !== undefined && family?.name !== name) {
      family = { name, help: '', type: '', samples: [] };
      families.push(family);
    }
    if (kind === 'HELP') family!.help = rest;
    if (kind === 'TYPE') family!.type = rest;
    if (line === '' || line.startsWith('#')) continue;
    const [, sample = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    const own =
      sample === family?.name || (family?.type === 'histogram' && sample.startsWith(`${family.name}_`));
    if (own) family?.samples.push({ name: sample, labels, value });
    else families.push({ name: line, help: '', type: 'a line without a family', samples: [] });
  }
  return families;
}

const SAMPLE =
  /^([A-Za-z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\]|\\["\\n])*",?)*)\})? (-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)$/;
const OTHER_UNITS =
  /_(?:milli|micro|nano|kilo|mega|giga|kibi|mebi)?(?:minutes|hours|days|percent|bits|milliseconds|kilobytes|megabytes)(?:_|$)/;
const ABBREVIATED = /_(?:s|ms|us|ns|sec|b|kb|mb|gb|tb|m|h|d)(?:_|$)/;

function* complaintsOf({ name, help, type, samples }: Family): Generator<string> {
  if (!/^(?:counter|gauge|histogram)$/.test(type)) yield `its type is "${type}"`;
  if (!/^\S.*\.$/.test(help)) yield 'no sentence of help';
  if (name.endsWith('_total') !== (type === 'counter')) yield '_total is for counters, and all of them';
  if (/_(?:counter|gauge|histogram|summary)(?:_|$)/.test(name)) yield 'its type is in its name';
  if (type !== 'histogram' && /_(?:bucket|count|sum)$/.test(name)) yield 'its end is reserved for histograms';
  if (!/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(name)) yield 'not in snake_case';
  if (OTHER_UNITS.test(name)) yield 'not in base units';
  if (ABBREVIATED.test(name)) yield 'an abbreviated unit';
  for (const { labels } of samples) {
    if (type !== 'histogram' && /(?:^|,)(?:le|quantile)="/.test(labels)) yield 'le and quantile are reserved';
    if (/(?:^|,)(?![a-z_]+=")\w+="/.test(labels)) yield `a label is not in snake_case: ${labels}`;
  }
  const all = samples.map((sample) => `${sample.name}{${sample.labels}}`);
  for (const sample of new Set(all.filter((one, index) => all.indexOf(one) !== index)))
    yield `twice: ${sample}`;
  if (type === 'counter' && samples.some(({ value }) => Number(value) < 0)) yield 'a counter below zero';
  if (type === 'histogram') yield* bucketComplaints(name, samples);
}

/** Each bucket has what the one before it has, the last one has all. */
function* bucketComplaints(family: string, samples: readonly Sample[]): Generator<string> {
  let below = 0;
  let last = '';
  for (const { name, labels, value } of samples) {
    if (name === `${family}_bucket`) {
      if (Number(value) < below) yield `a bucket with less than the one before it: ${labels}`;
      below = Number(value);
      last = labels;
    } else if (name === `${family}_count`) {
      if (!last.includes('le="+Inf"')) yield `no bucket for all: ${labels}`;
      if (Number(value) !== below) yield `a count that is not that of its last bucket: ${labels}`;
      below = 0;
    }
  }
}
