import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settingsTypes } from './settings-types.js';

/** Writes the types of the settings from the schema: `make types`. */
writeFileSync(join(import.meta.dirname, '../../../lib/config/settings.ts'), settingsTypes());
