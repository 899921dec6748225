// Writes what checks settings against the schema beside the code that loads it: `lb` starts without compiling the schema.
// Runs after the compiler; without it ajv makes the same at each start.
import { renameSync, writeFileSync } from 'node:fs';
import { writtenText } from '../dist/lib/config/schema-check.js';

const beside = new URL('../dist/lib/config/schema-check.cjs', import.meta.url);
const own = new URL(`../../schema-check.cjs.${process.pid}`, beside);
// As a whole: somebody else may start what is here meanwhile.
writeFileSync(own, writtenText());
renameSync(own, beside);
