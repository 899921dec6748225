import { loadConfig } from '../../config/config.js';
import type { InitOptions } from '../args.js';
import { complain } from '../complaint.js';
import { count, longest } from '../error-text.js';
import { explainFailure } from '../failure.js';
import { shellWord } from '../shell-word.js';
import { DEFAULT_FILE } from '../start-settings.js';
import type { Terminal } from '../terminal.js';
import { createFile, overwriteFile } from './new-file.js';
import { type Ask, DEFAULT_ANSWERS, interview } from './questions.js';
import { type StarterAnswers, starterFile } from './starter-file.js';

export interface InitContext {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  /** The command that started this program. */
  readonly program: string;
  readonly exists: (path: string) => boolean;
  /** null when there is no terminal to ask on. */
  readonly ask: Ask | null;
}

/**
 * Writes a settings file. Returns the exit code: 1 when it could not be written, 2 when options are missing or wrong.
 */
export async function init(options: InitOptions, context: InitContext): Promise<number> {
  const { stderr } = context;
  const { force } = options;
  const file = options.configFile ?? DEFAULT_FILE;
  const refuse = (message: string, code: number): number => {
    complain(stderr, message);
    return code;
  };
  const there = `${file} exists already. --force replaces it, -c names another file.`;
  // Checked before asking; the write itself makes sure.
  if (!force && context.exists(file)) return refuse(there, 1);
  const known = said(options);
  const wrong = complaintOf({ ...DEFAULT_ANSWERS, ...known });
  if (wrong !== null) return refuse(wrong, 2);
  let answers: StarterAnswers | null = { ...DEFAULT_ANSWERS, ...known };
  if (options.servers.length === 0) {
    if (context.ask === null)
      return refuse('servers are needed, or a terminal to ask on: lb init localhost:5001 localhost:5002.', 2);
    const tell = (text: string): void => stderr.write(`  ${stderr.paint.red(text)}\n`);
    answers = await interview({ known, ask: context.ask, complaint: complaintOf, tell });
    if (answers === null) return refuse('nothing was written: the answers ended too early.', 1);
  }
  try {
    await (force ? overwriteFile : createFile)(file, starterFile(answers));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return refuse(there, 1);
    const explained = explainFailure(error, { writing: file });
    if (explained === null) throw error;
    return refuse(explained, 1);
  }
  context.stdout.write(whatNext(answers, file, context));
  return 0;
}

function said(options: InitOptions): Partial<StarterAnswers> {
  const { listen, servers, hosts, healthPath, admin, algorithm } = options;
  return {
    ...(listen !== null && { listen }),
    ...(servers.length > 0 && { servers }),
    ...(hosts.length > 0 && { hosts }),
    ...(healthPath !== null && { healthPath }),
    ...(admin !== null && { admin: admin === 'off' ? null : admin }),
    ...(algorithm !== null && { algorithm }),
  };
}

/** The text is loaded like any settings file; if that reports problems, it is not written. */
function complaintOf(answers: StarterAnswers): string | null {
  const result = loadConfig(starterFile(answers), { env: {}, needsRoute: true });
  const [problem] = result.ok ? result.warnings : result.problems;
  if (problem === undefined) return null;
  const { path, message, hint } = problem;
  return `${path}: ${message}. ${hint}`.trim();
}

function whatNext(answers: StarterAnswers, file: string, { program, stdout }: InitContext): string {
  const { cyan, dim } = stdout.paint;
  const option = file === DEFAULT_FILE ? '' : ` -c ${shellWord(file)}`;
  const page = /^\d+$/.test(answers.admin ?? '') ? `http://localhost:${answers.admin}/` : null;
  const rows: readonly (readonly [command: string, why: string])[] = [
    [`${program} check${option}`, 'after every change: is the file right?'],
    [`${program}${option}`, 'start; SIGHUP, or --watch, loads what has changed'],
    ...(page === null ? [] : [[page, 'the status page, once it runs'] as const]),
    [`${program} help KEY`, 'what a key means, such as timeouts.connect'],
  ];
  const width = longest(rows.map(([command]) => command)) + 2;
  const listed = rows.map(([command, why]) => `  ${cyan(command.padEnd(width))}${dim(why)}\n`).join('');
  const servers = count(answers.servers.length, 'server');
  return `${file} is written: ${servers}, requests come in on ${answers.listen}. Next:\n\n${listed}`;
}
