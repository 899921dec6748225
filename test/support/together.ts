import { pathToFileURL } from 'node:url';

/**
 * Runs several test files one after another in this process: `node together.js NAME FILE…`. They are those of `TOGETHER` in
 * `test-files`, and find out nothing of each other. NAME is what tap calls the whole, and the folders of its fixtures.
 */
const [name = '', ...files] = process.argv.slice(2);
process.argv.splice(1, process.argv.length, name);
const { default: t } = await import('tap');

// The tests of all files wait for the end of this one: tap would end the run when it has none to do.
void t.test('all files can be loaded', async (t) => {
  for (const file of files) await import(pathToFileURL(file).href);
  t.ok(files.length > 0);
});
