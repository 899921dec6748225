#!/usr/bin/env node
// Plain old syntax up to the import: an old Node has to get as far as the message.

var parts = process.versions.node.split('.');
var major = Number(parts[0]);
var tooOld = major < 20 || (major === 20 && Number(parts[1]) < 19);

if (tooOld) {
  process.stderr.write('lb: Node 20.19 or later is needed, this is an older one.\n');
  process.exitCode = 1;
} else {
  // NO_COLOR wins here. Newer Nodes let FORCE_COLOR win, and would say so on stderr.
  if (process.env.NO_COLOR) delete process.env.FORCE_COLOR;
  import('../dist/lib/cli/main.js').then(start, notLoaded);
}

function start(cli) {
  return cli.main();
}

function notLoaded(error) {
  if (error.code === 'ERR_MODULE_NOT_FOUND') process.stderr.write('lb: not built yet, run: make setup\n');
  else if (error.code === 'EMFILE')
    process.stderr.write('lb: too few files may be open: ulimit -n 256 or more is needed.\n');
  else throw error;
  process.exitCode = 1;
}
