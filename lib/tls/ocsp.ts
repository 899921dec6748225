import { createHash, createVerify, verify as verifySignature, X509Certificate } from 'node:crypto';
import {
  BasicOCSPResponse,
  CertID,
  id_kp_OCSPSigning,
  id_pkix_ocsp_basic,
  OCSPRequest,
  OCSPResponse,
  OCSPResponseStatus,
  Request,
  type SingleResponse,
  TBSRequest,
} from '@peculiar/asn1-ocsp';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier, Certificate as AsnCertificate } from '@peculiar/asn1-x509';

const ID_SHA1 = '1.3.14.3.2.26';
/** How far the clock of a responder may be ahead, in ms. */
const SKEW_MS = 300_000;

/** What an OCSP responder says of one certificate (RFC 6960). */
export interface OcspAnswer {
  readonly status: 'good' | 'revoked' | 'unknown';
  /** Unix time in ms. */
  readonly thisUpdate: number;
  /** null: newer information is always available. */
  readonly nextUpdate: number | null;
}

/** A response that must not be stapled; the message is one line. */
export class OcspError extends Error {}

/** By the object identifier of a signature: the hash. Signatures with SHA-1 are refused. */
const HASHES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'SHA256',
  '1.2.840.113549.1.1.12': 'SHA384',
  '1.2.840.113549.1.1.13': 'SHA512',
  '1.2.840.10045.4.3.2': 'SHA256',
  '1.2.840.10045.4.3.3': 'SHA384',
  '1.2.840.10045.4.3.4': 'SHA512',
  '1.3.101.112': null,
};

/** The body of a request for the status of `leaf`, which `issuer` issued; both as DER. */
export function ocspRequest(leaf: Buffer, issuer: Buffer): Buffer {
  const reqCert = certIdOf(leaf, issuer);
  const tbsRequest = new TBSRequest({ requestList: [new Request({ reqCert })] });
  return Buffer.from(AsnConvert.serialize(new OCSPRequest({ tbsRequest })));
}

/** With SHA-1, which names here and signs nothing: responders that prepare their answers know no other (RFC 5019, 2.1.1). */
function certIdOf(leaf: Buffer, issuer: Buffer): CertID {
  const { tbsCertificate } = AsnConvert.parse(issuer, AsnCertificate);
  const { serialNumber } = AsnConvert.parse(leaf, AsnCertificate).tbsCertificate;
  const sha1 = (data: ArrayBuffer): OctetString =>
    new OctetString(createHash('sha1').update(Buffer.from(data)).digest());
  return new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: ID_SHA1, parameters: null }),
    issuerNameHash: sha1(AsnConvert.serialize(tbsCertificate.subject)),
    issuerKeyHash: sha1(tbsCertificate.subjectPublicKeyInfo.subjectPublicKey),
    serialNumber,
  });
}

/**
 * Verifies a response to `ocspRequest`: that it is about `leaf`, signed by `issuer` or by whom the issuer has let sign, and
 * current at `now`. Throws an OcspError.
 */
export function readOcspResponse(response: Buffer, leaf: Buffer, issuer: Buffer, now: number): OcspAnswer {
  const basic = basicResponse(response);
  verify(basic, issuer, now);
  const wanted = certIdOf(leaf, issuer);
  const single = basic.tbsResponseData.responses.find(({ certID }) => isSame(certID, wanted));
  if (single === undefined) throw new OcspError('the response is about another certificate');
  const answer = answerOf(single);
  if (answer.thisUpdate > now + SKEW_MS) throw new OcspError('the response is not valid yet');
  if (answer.nextUpdate !== null && answer.nextUpdate <= now) throw new OcspError('the response is too old');
  return answer;
}

function basicResponse(response: Buffer): BasicOCSPResponse {
  let parsed: OCSPResponse;
  try {
    parsed = AsnConvert.parse(response, OCSPResponse);
  } catch {
    throw new OcspError('what came is no OCSP response');
  }
  const { responseStatus, responseBytes } = parsed;
  if (responseStatus !== OCSPResponseStatus.successful || responseBytes === undefined)
    throw new OcspError(`the responder answered ${OCSPResponseStatus[responseStatus] ?? responseStatus}`);
  if (responseBytes.responseType !== id_pkix_ocsp_basic)
    throw new OcspError('the response is of a kind that is not known');
  try {
    return AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse);
  } catch {
    throw new OcspError('what came is no OCSP response');
  }
}

function verify(
  { tbsResponseDataRaw, signatureAlgorithm, signature, certs = [] }: BasicOCSPResponse,
  issuer: Buffer,
  now: number,
): void {
  const authority = new X509Certificate(issuer);
  const signers = [authority];
  for (const one of certs) {
    const delegate = new X509Certificate(Buffer.from(AsnConvert.serialize(one)));
    if (isDelegate(delegate, authority, now)) signers.push(delegate);
  }
  const hash = HASHES[signatureAlgorithm.algorithm];
  if (hash === undefined || tbsResponseDataRaw === undefined)
    throw new OcspError(`the response is signed with ${signatureAlgorithm.algorithm}, which is not accepted`);
  const data = Buffer.from(tbsResponseDataRaw);
  const isSigned = signers.some(({ publicKey }) =>
    hash === null
      ? verifySignature(null, data, publicKey, Buffer.from(signature))
      : createVerify(hash).update(data).verify(publicKey, Buffer.from(signature)),
  );
  if (!isSigned) throw new OcspError('neither the issuer has signed the response, nor whom it lets sign');
}

/** RFC 6960, 4.2.2.2. */
function isDelegate(one: X509Certificate, authority: X509Certificate, now: number): boolean {
  return (
    (one.keyUsage ?? []).includes(id_kp_OCSPSigning) &&
    one.checkIssued(authority) &&
    one.verify(authority.publicKey) &&
    Date.parse(one.validFrom) <= now + SKEW_MS &&
    Date.parse(one.validTo) > now
  );
}

function isSame(one: CertID, other: CertID): boolean {
  const bytes = (id: CertID): Buffer[] => [
    Buffer.from(id.issuerNameHash.buffer),
    Buffer.from(id.issuerKeyHash.buffer),
    Buffer.from(id.serialNumber),
  ];
  const expected = bytes(other);
  return (
    one.hashAlgorithm.algorithm === ID_SHA1 &&
    bytes(one).every((part, at) => part.equals(expected[at] as Buffer))
  );
}

function answerOf({ certStatus, thisUpdate, nextUpdate }: SingleResponse): OcspAnswer {
  const status =
    certStatus.revoked !== undefined ? 'revoked' : certStatus.good !== undefined ? 'good' : 'unknown';
  return {
    status,
    thisUpdate: thisUpdate.getTime(),
    nextUpdate: nextUpdate === undefined ? null : nextUpdate.getTime(),
  };
}
