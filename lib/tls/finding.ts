/** What is wrong with a certificate, key or list of revoked certificates. */
export interface CertificateFinding {
  /** An `error` makes the certificate useless; a `warning` is worth a look, and the certificate is used. */
  readonly severity: 'error' | 'warning';
  /** The file that it is about; absolute. */
  readonly file: string;
  /** The line in the settings that names the file, from 1; 0 when none does. */
  readonly line: number;
  /** One line: what is wrong. */
  readonly message: string;
  /** One sentence: what to do; may be empty. */
  readonly hint: string;
}

/** Certificates that cannot be used. The message is the first finding, in one line. */
export class CertificateError extends Error {
  readonly findings: readonly CertificateFinding[];

  constructor(findings: readonly CertificateFinding[]) {
    const [first] = findings;
    super(first === undefined ? 'a certificate cannot be used' : findingText(first));
    this.name = 'CertificateError';
    this.findings = findings;
  }
}

/** `www.pem: the key does not fit the certificate`, in one line. */
export function findingText({ file, message }: Pick<CertificateFinding, 'file' | 'message'>): string {
  return file === '' ? message : `${file}: ${message}`;
}

/** Collects what is found in the files that one line of the settings names. */
export class Findings {
  readonly all: CertificateFinding[] = [];
  readonly #line: number;

  constructor(line: number) {
    this.#line = line;
  }

  error(file: string, message: string, hint = ''): void {
    this.all.push({ severity: 'error', file, line: this.#line, message, hint });
  }

  warning(file: string, message: string, hint = ''): void {
    this.all.push({ severity: 'warning', file, line: this.#line, message, hint });
  }

  get hasError(): boolean {
    return this.all.some(({ severity }) => severity === 'error');
  }
}
