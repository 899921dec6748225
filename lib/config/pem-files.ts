import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { whyUnreadable } from '../base/regular-file.js';
import { ValueError } from '../base/units.js';

/** Files that the configuration names: their absolute paths, and what they hold. */
export interface FileReader {
  readonly resolveFile: (name: string) => string;
  readonly readFile: (name: string, maxBytes: number) => string;
}

/** All certificate authorities that a system knows are a quarter of that. */
const MAX_PEM_BYTES = 1024 * 1024;

/** Reads certificates in PEM. Throws a ValueError that names the file and what is wrong with it. */
export function readCertificates(name: string, files: FileReader): string {
  const text = textOf(name, files);
  expectCertificates(name, text);
  return text;
}

/** Reads the key of `cert`, whose text is in PEM; `name` may be the same file. */
export function readKey(
  name: string,
  cert: string,
  passphrase: string | undefined,
  files: FileReader,
): string {
  const text = textOf(name, files);
  const key = keyOf(name, text, passphrase, text === cert);
  if (!new X509Certificate(cert).checkPrivateKey(key))
    throw new ValueError(`${name}: the key does not belong to the certificate`);
  try {
    createSecureContext({ cert, key: text, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    throw new ValueError(`${name}: OpenSSL refuses it: ${reasonOf(error)}`);
  }
  return text;
}

/** The same text for equal values. */
export function digestOf(...values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('base64');
}

function textOf(name: string, { readFile }: FileReader): string {
  try {
    return readFile(name, MAX_PEM_BYTES);
  } catch (error) {
    throw new ValueError(`${name} cannot be read: ${whyUnreadable(error)}`);
  }
}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** Throws a ValueError where there is none, or one that can't be read. */
function expectCertificates(name: string, text: string): void {
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0)
    throw new ValueError(
      `${name} holds no certificate in PEM`,
      'It has to have a line -----BEGIN CERTIFICATE-----.',
    );
  for (const [index, pem] of found.entries()) {
    try {
      new X509Certificate(pem);
    } catch (error) {
      const which = found.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
      throw new ValueError(`${name}: ${which} cannot be read: ${reasonOf(error)}`);
    }
  }
}

function keyOf(name: string, text: string, passphrase: string | undefined, isInCert: boolean): KeyObject {
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text))
    throw new ValueError(
      `${name} holds no private key in PEM`,
      isInCert ? 'Name the file of the key: key: lb.key.' : '',
    );
  const isEncrypted = /ENCRYPTED/.test(text);
  if (isEncrypted && passphrase === undefined)
    throw new ValueError(`${name}: the key is encrypted`, `Add passphrase: ${'$'}{LB_KEY_PASSPHRASE}.`);
  try {
    return createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    if (isEncrypted) throw new ValueError(`${name}: the passphrase does not open the key`);
    throw new ValueError(`${name}: the key cannot be read: ${reasonOf(error)}`);
  }
}

/** Of an error of OpenSSL: `unsupported`, `wrong tag`. */
function reasonOf(error: unknown): string {
  const { reason, message } = error as { reason?: string; message: string };
  return reason ?? message.split('\n', 1)[0] ?? '';
}
