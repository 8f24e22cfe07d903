/**
 * Certificates for tests only: their private keys are public. Made once with OpenSSL (P-256, valid from 2020 to 2120); the
 * authority's own key was thrown away.
 */
export interface TestCertificates {
  /** The authority that signed the other two, in PEM. */
  readonly ca: string;
  /** For `localhost`, 127.0.0.1 and ::1, in PEM. */
  readonly serverCert: string;
  readonly serverKey: string;
  /** Common name `polymq-test-client`, in PEM. */
  readonly clientCert: string;
  readonly clientKey: string;
  /** `clientKey` encrypted under `passphrase`. */
  readonly clientKeyEncrypted: string;
  /** Client certificate and key as PKCS#12 under `passphrase`, in base64. */
  readonly clientPfxBase64: string;
  readonly passphrase: string;
}

/** See {@link TestCertificates}. */
export const testCertificates: TestCertificates = Object.freeze({
  ca: `-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIBATAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVwb2x5bXEg
dGVzdCBhdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MCAxHjAcBgNVBAMMFXBvbHltcSB0ZXN0IGF1dGhvcml0eTBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABMz/DFOedNxgA4aWJXEjNqLTv9Ty4CZP+KlMTPKjxBVTvK4t
TywMXnKYpxbLRzbnQwwWJEdIwo1tcUjsOidn8kOjQjBAMA8GA1UdEwEB/wQFMAMB
Af8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRBJqRLed3M7xIfO2aaUbbe/dGh
YDAKBggqhkjOPQQDAgNIADBFAiEApsO3urzFKHiqWwIiRFBcZPOVa0lKWmt+VL0w
6YUc8zMCIAaWhEPRHa8Nq+tMkYLolgSOEZcpsEtwItdS4GB429YH
-----END CERTIFICATE-----
`,
  serverCert: `-----BEGIN CERTIFICATE-----
MIIBxTCCAWqgAwIBAgIBAjAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVwb2x5bXEg
dGVzdCBhdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BMHtkCR4uWS5c3MKWMfClFL5NCcZjkRkdLJgHw/gIOZxIs08Wei7omq8vIp1KIu7
4upeUzDH5L5aW53me6ha/1qjgZ4wgZswCQYDVR0TBAIwADALBgNVHQ8EBAMCB4Aw
EwYDVR0lBAwwCgYIKwYBBQUHAwEwLAYDVR0RBCUwI4IJbG9jYWxob3N0hwR/AAAB
hxAAAAAAAAAAAAAAAAAAAAABMB0GA1UdDgQWBBSZzL+QwNVPEZjgQwjz++g7N39M
lzAfBgNVHSMEGDAWgBRBJqRLed3M7xIfO2aaUbbe/dGhYDAKBggqhkjOPQQDAgNJ
ADBGAiEAt2BoAWne7pr1yyR79zM833UgCTkD3+BNY7kr6t3QXc0CIQC8eOGdbDcO
HIAm+5sgA01o1scRRjBTtOmQofHk3WYf4g==
-----END CERTIFICATE-----
`,
  serverKey: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTj0XRbI70Y/iA5o2
yCJD+0+vtV4asfskj83SUOKPLPihRANCAATB7ZAkeLlkuXNzCljHwpRS+TQnGY5E
ZHSyYB8P4CDmcSLNPFnou6JqvLyKdSiLu+LqXlMwx+S+Wlud5nuoWv9a
-----END PRIVATE KEY-----
`,
  clientCert: `-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIBAzAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVwb2x5bXEg
dGVzdCBhdXRob3JpdHkwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MB0xGzAZBgNVBAMMEnBvbHltcS10ZXN0LWNsaWVudDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABLI3binwh6bPl8in7pgxfskUZgGEaA/iCqN/XxfdTv9jWFvVEGWA
ilmfRs/xNwp8qCco/f0tPEJjSet5wDthg+yjbzBtMAkGA1UdEwQCMAAwCwYDVR0P
BAQDAgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0GA1UdDgQWBBTmHw2sEvRmf9XQ
OwpIzDDpxnWrcTAfBgNVHSMEGDAWgBRBJqRLed3M7xIfO2aaUbbe/dGhYDAKBggq
hkjOPQQDAgNIADBFAiBPyGu/bDLbYPD5EmhQvjsumy8naQ2Rt7lFbgeFYlw6ugIh
APT/nQ5Zpp6fGyTcZXwVMYS1KBV/ufPcyazCtyGbkO+P
-----END CERTIFICATE-----
`,
  clientKey: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqtVgs8GBWMImDDxE
43hwLGNk/F5+7+pUAeLH35cm41ahRANCAASyN24p8Iemz5fIp+6YMX7JFGYBhGgP
4gqjf18X3U7/Y1hb1RBlgIpZn0bP8TcKfKgnKP39LTxCY0nrecA7YYPs
-----END PRIVATE KEY-----
`,
  clientKeyEncrypted: `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiiTcmRtlL+dgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFAt7CSt7+oIh3rb0DzSbxUEgZDX
bdJJbK50IDl+wj6vBmKDVcLJvleOLfsnBnq0g9DMOlStYCnVQIoIvclIt8vmMKbo
67r8yZXH61ZagqkU41DRSCKix2M+NM2vs6KzXnMMUa/jRHVUrOSec2CwlwYsgNjP
Zv5NKFlj2V7dHAbUnsmTdblE/UKNfEp1pyYIRFOgQD98aLKgraecUXE5gfVeuzA=
-----END ENCRYPTED PRIVATE KEY-----
`,
  clientPfxBase64: [
    "MIIELAIBAzCCA+IGCSqGSIb3DQEHAaCCA9MEggPPMIIDyzCCAoIGCSqGSIb3DQEHBqCCAnMwggJvAgEAMIICaAYJKoZIhvcNAQcB",
    "MFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj6/QDY8+3BagICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEENq6",
    "lWw+jr5xH611XjHVhjqAggIA9ckNACz21vC9cVLRMmMGrR6X3T3DN2wo1RsqYktKMk5/Wqb8HELaaKrNiZOkqwSOS9DBG/RjkErv",
    "QvGrPbSL12tAKCE+3wFklOXHfbgphk0dW5LrEk/WMPcD0N/fkIZLKIsYHMZ2PTHWA0Y+pBH5igs9NR1t+orWYClMm1nbLnIsTSCi",
    "3CWKH751c0F+ebNJu1Pf1G3bNCg4tBsPLE6GQuRsVWlNWIUBDRnek8umBhZ5Gsu4I18TZwNsB/EMsNNegK3uXxUAyQoOgwzlzpKh",
    "BGths2LuGpun51ggKnP4gevkQ4VWD7jtevAU8sv1TWP4Fwf7ZPdAbq59el6MMXO83gzS360rHwvj9tjsIBr+hC0dT6zRrUMJ+Kld",
    "1HUDrQ75dWLjs5JvDN+wBnB0PqmIRpPDCRcrHxx8S7RvVlIQAK4nGsixN+a29CV4SXfa5Ck1RmxMz6IFiVouoNi9t/9RbIcmk6Nz",
    "H+6xMZ4VSPImS69EHCapf+IHOzAEcTqUlv6O3qe32Fy+5/89WFFcvPEIdwRmyPxVJAt0A+sPxOZ2RP1RQgnhmLJhwwIzU8xthU9r",
    "QbvVY4A34AyA2nLIXBOIsyRyAVpPsqX3NwN0f1j+USea6vmfitLQe7CDmGqlRJo/anZtFiv+dIRHp1U+4sBS0WTIQHQoBpXzmCYf",
    "kYIFpaowggFBBgkqhkiG9w0BBwGgggEyBIIBLjCCASowggEmBgsqhkiG9w0BDAoBAqCB7zCB7DBXBgkqhkiG9w0BBQ0wSjApBgkq",
    "hkiG9w0BBQwwHAQI6P0mN10qjgQCAggAMAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBD8v7Np6wqcnvtHrlgGZm5fBIGQanIj",
    "bPu/hp6Hp1ic0GCUvjIbKX8DtTzdG8NQnngiVbsSDfC6Fna16/B6ZTeWlmqXbMWw5sPxjkBZ1aqYvQMjDtLAE9ivCsda/x0FB7U7",
    "zm1E08vHomG00883fdzNHQXudKXE0LbbXPFsg9CiSHpcRTvOZOkGeBAz1wHIuvdBz6tOpYtcrthAThsiTjQlWu9iMSUwIwYJKoZI",
    "hvcNAQkVMRYEFMtSM+JylT0FrSV6+dI7E0bYFb5DMEEwMTANBglghkgBZQMEAgEFAAQg0MmCmt2NH3G/wFzKwbEnY5oxY3xppb1v",
    "vGwiBAP7wu8ECDD4KZ3A1cYZAgIIAA==",
  ].join(""),
  passphrase: "test-passphrase",
});
