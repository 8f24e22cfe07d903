import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "./run-tool.ts";

/** A certificate and its private key, as paths of PEM files. */
export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What {@link makeCertificates} leaves in its directory. */
export interface Certificates {
  /** The authority that signed `server` and `client`. */
  readonly caFile: string;
  /** Good for localhost, 127.0.0.1 and ::1. */
  readonly server: KeyPair;
  /** Common name `polymq-client`, for mutual TLS. */
  readonly client: KeyPair;
  /** An authority that signed neither: whoever trusts only this one must refuse `server`. */
  readonly untrustedCaFile: string;
  /** Signed by the untrusted authority: whoever trusts `caFile` must refuse it. */
  readonly untrustedClient: KeyPair;
}

const DAYS = "30";
const KEY: readonly string[] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes two authorities, a server certificate and two client certificates through `openssl`. Keys are P-256. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  await mkdir(directory, { recursive: true });
  const ca = await makeAuthority(directory, "ca");
  const untrusted = await makeAuthority(directory, "untrusted-ca");
  const serverExtensions = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n";
  const clientExtensions = "extendedKeyUsage=clientAuth\n";
  return {
    caFile: ca.certFile,
    server: await sign(directory, { name: "server", commonName: "localhost", extensions: serverExtensions, by: ca }),
    client: await sign(directory, {
      name: "client",
      commonName: "polymq-client",
      extensions: clientExtensions,
      by: ca,
    }),
    untrustedCaFile: untrusted.certFile,
    untrustedClient: await sign(directory, {
      name: "untrusted-client",
      commonName: "polymq-stranger",
      extensions: clientExtensions,
      by: untrusted,
    }),
  };
}

async function makeAuthority(directory: string, name: string): Promise<KeyPair> {
  const pair = pairIn(directory, name);
  await runTool("openssl", [
    ...["req", "-x509", ...KEY, "-days", DAYS, "-subj", `/CN=polymq ${name}`],
    ...["-keyout", pair.keyFile, "-out", pair.certFile],
  ]);
  return pair;
}

interface SignRequest {
  readonly name: string;
  readonly commonName: string;
  readonly extensions: string;
  readonly by: KeyPair;
}

async function sign(directory: string, request: SignRequest): Promise<KeyPair> {
  const pair = pairIn(directory, request.name);
  const requestFile = join(directory, `${request.name}.csr`);
  const extensionsFile = join(directory, `${request.name}.ext`);
  await writeFile(extensionsFile, `basicConstraints=CA:FALSE\n${request.extensions}`);
  await runTool("openssl", [
    ...["req", "-new", ...KEY, "-subj", `/CN=${request.commonName}`],
    ...["-keyout", pair.keyFile, "-out", requestFile],
  ]);
  await runTool("openssl", [
    ...["x509", "-req", "-in", requestFile, "-days", DAYS, "-extfile", extensionsFile],
    ...["-CA", request.by.certFile, "-CAkey", request.by.keyFile, "-CAcreateserial", "-out", pair.certFile],
  ]);
  return pair;
}

function pairIn(directory: string, name: string): KeyPair {
  return { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) };
}
