// Writes the function that checks settings against the schema into a module beside the code that loads it, so that `lb` starts
// without compiling the schema. Runs after the compiler; without the module ajv makes the function at each start.
import { renameSync, writeFileSync } from 'node:fs';
import { writtenText } from '../dist/lib/config/schema-check.js';

const file = new URL('../dist/lib/config/schema-check.cjs', import.meta.url);
const unfinished = new URL(`../../schema-check.cjs.${process.pid}`, file);
// Renamed when it is complete: lb may be started meanwhile.
writeFileSync(unfinished, writtenText());
renameSync(unfinished, file);
