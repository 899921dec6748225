import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsReference } from '../../lib/config/reference.js';
import { commandPage, settingsPage } from './man-page.js';
import { referencePage } from './reference-page.js';

/** Writes the pages of `docs/` that follow from the code: `make docs`. */
const DOCS = join(import.meta.dirname, '../../../docs');

const reference = new SettingsReference();
writeFileSync(join(DOCS, 'configuration.md'), referencePage(reference));
mkdirSync(join(DOCS, 'man'), { recursive: true });
writeFileSync(join(DOCS, 'man/lb.1'), commandPage());
writeFileSync(join(DOCS, 'man/loadbalancer.yaml.5'), settingsPage(reference));
