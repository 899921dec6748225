import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SettingsReference } from '../../lib/config/reference.js';
import { referencePage } from './reference-page.js';

/** Writes the pages of `docs/` that follow from the code: `make docs`. */
const DOCS = join(import.meta.dirname, '../../../docs');

writeFileSync(join(DOCS, 'configuration.md'), referencePage(new SettingsReference()));
