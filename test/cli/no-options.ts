import type { RunOptions } from '../../lib/cli/args.js';

/** What a command line without options comes to. */
export const NO_OPTIONS: RunOptions = {
  port: null,
  servers: [],
  configFile: null,
  algorithm: null,
  healthPath: null,
  healthInterval: null,
  accessLog: null,
  accessLogFile: null,
  admin: null,
  tls: false,
  watch: false,
  workers: null,
  docker: false,
  volume: 'normal',
};
