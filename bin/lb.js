#!/usr/bin/env node
// Plain old syntax up to the import: an old Node has to get as far as the message.

var parts = process.versions.node.split('.');
var major = Number(parts[0]);
var tooOld = major < 20 || (major === 20 && Number(parts[1]) < 19);

// Loading the program takes a moment. A signal that comes meanwhile is kept for it: by default it would end the process
// or open a debugger (SIGUSR1), and process 1 of a container would never hear of it.
var kept = [];
var keepers = {};

if (tooOld) {
  process.stderr.write('lb: Node 20.19 or later is needed, this is an older one.\n');
  process.exitCode = 1;
} else {
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'].forEach(keepSignal);
  // NO_COLOR wins here. Newer Nodes let FORCE_COLOR win, and would say so on stderr.
  if (process.env.NO_COLOR) delete process.env.FORCE_COLOR;
  import('../dist/lib/cli/main.js').then(start, notLoaded);
}

function keepSignal(signal) {
  keepers[signal] = () => {
    // Whoever asks twice for the end does not wait for the start.
    if (isStop(signal) && kept.some(isStop)) process.exit(signal === 'SIGINT' ? 130 : 143);
    if (kept.indexOf(signal) === -1) kept.push(signal);
  };
  process.on(signal, keepers[signal]);
}

function isStop(signal) {
  return signal === 'SIGINT' || signal === 'SIGTERM';
}

function start(cli) {
  return cli.main({ kept: kept, keepers: keepers });
}

function notLoaded(error) {
  // Where too few files may be open, Node may say that it did not find a module.
  if (error.code === 'EMFILE' || (error.code === 'ERR_MODULE_NOT_FOUND' && mostFiles() < 256))
    process.stderr.write('lb: too few files may be open: ulimit -n 256 or more is needed.\n');
  else if (error.code === 'ERR_MODULE_NOT_FOUND')
    process.stderr.write('lb: not built yet, run: make setup\n');
  else throw error;
  process.exitCode = 1;
}

/** NaN where there is no limit, or none is known. */
function mostFiles() {
  var limits = process.report.getReport().userLimits;
  return limits === undefined ? Number.NaN : Number(limits.open_files.soft);
}
