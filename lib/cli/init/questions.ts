import type { StarterAnswers } from './starter-file.js';

/** Asks a person a question and resolves with the line that was typed; null at the end of input. */
export type Ask = (question: string) => Promise<string | null>;

/** What is wrong with the answers, in a sentence; null when they make a valid file. */
export type Complaint = (answers: StarterAnswers) => string | null;

interface Question {
  readonly text: string;
  /** What an empty line means, as shown to the person. */
  readonly initial: string;
  readonly take: (answers: StarterAnswers, typed: string) => StarterAnswers;
}

export interface Interview {
  /** What the command line has answered already; these questions are not asked. */
  readonly known: Partial<StarterAnswers>;
  readonly ask: Ask;
  readonly complaint: Complaint;
  /** Shows an error message. */
  readonly tell: (text: string) => void;
}

export const DEFAULT_ANSWERS: StarterAnswers = {
  listen: '8080',
  servers: ['localhost:5001', 'localhost:5002'],
  hosts: [],
  healthPath: null,
  admin: '9090',
  algorithm: null,
};

const QUESTIONS: { readonly [name in keyof StarterAnswers]?: Question } = {
  servers: {
    text: 'Servers, as host:port with blanks between',
    initial: DEFAULT_ANSWERS.servers.join(' '),
    take: (answers, typed) => ({ ...answers, servers: words(typed) }),
  },
  listen: {
    text: 'Port to listen on',
    initial: DEFAULT_ANSWERS.listen,
    take: (answers, typed) => ({ ...answers, listen: typed }),
  },
  hosts: {
    text: 'Host names to serve, with blanks between',
    initial: 'all',
    take: (answers, typed) => ({ ...answers, hosts: typed === 'all' ? [] : words(typed) }),
  },
  healthPath: {
    text: 'Path that says whether a server is well',
    initial: 'none',
    take: (answers, typed) => ({ ...answers, healthPath: typed === 'none' ? null : typed }),
  },
  admin: {
    text: 'Port of the status page, or off',
    initial: DEFAULT_ANSWERS.admin ?? 'off',
    take: (answers, typed) => ({ ...answers, admin: typed === 'off' ? null : typed }),
  },
};

/** Asks for what is not known yet, each until the answer is valid. Resolves with null when the input ends before. */
export async function interview({ known, ask, complaint, tell }: Interview): Promise<StarterAnswers | null> {
  let answers: StarterAnswers = { ...DEFAULT_ANSWERS, ...known };
  for (const [name, question] of Object.entries(QUESTIONS)) {
    if (name in known) continue;
    const { text, initial, take } = question;
    for (;;) {
      const line = await ask(`${text} [${initial}]: `);
      if (line === null) return null;
      const typed = line.trim();
      const taken = typed === '' ? answers : take(answers, typed);
      const wrong = complaint(taken);
      if (wrong === null) {
        answers = taken;
        break;
      }
      tell(wrong);
    }
  }
  return answers;
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}
