import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SettingsReference } from '../../lib/config/reference.js';
import { schema } from '../../lib/config/schema.js';
import { referencePage } from './reference-page.js';

const DOCS = join(import.meta.dirname, '../../../docs');

t.test('docs/configuration.md says what the schema says (make docs writes it)', async (t) => {
  const page = readFileSync(join(DOCS, 'configuration.md'), 'utf8');
  t.equal(page, referencePage(new SettingsReference()));
});

t.test('every key of the reference has a meaning and says what may be written', async (t) => {
  for (const { key, meaning, form } of new SettingsReference().settings) {
    t.not(meaning, '', `${key} has a description`);
    t.not(form, '', `${key} says what may be written`);
  }
});

t.test('every key of every map is described, also where a map at the top has the same name', async (t) => {
  const page = readFileSync(join(DOCS, 'configuration.md'), 'utf8');
  const undescribed: string[] = [];
  for (const [name, { properties = {} }] of Object.entries(schema.definitions))
    for (const [key, { description }] of Object.entries(properties))
      if (description !== undefined && !page.includes(description)) undescribed.push(`${name}.${key}`);
  t.same(undescribed, []);
});
