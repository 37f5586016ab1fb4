#!/usr/bin/env python3
"""Certificates with one or two elements of their DER changed, and signed again: what the strict profile accepts, others do too.

Each element may go, come twice, change places, its tag, a bit or its length; most changes are to extensions. `yett verify
--profile strict` judges the chain, and where it accepts one, `openssl verify -x509_strict`, `certtool --verify` and, where
its Python has one, pyca cryptography's validator are asked. None of them may refuse it.

    mutation.py --yett proxy/yett [--seed N] [--count N]

The same seed makes the same keys and changes: an identifier of a random key is DER by chance once in some hundred runs, and
what is inside it would be changed, too, so that all changes were others from there on. Dates are of the day.
"""
import argparse
import concurrent.futures
import copy
import datetime
import ipaddress
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
HOST = "www.example.com"
# RFC 5280 section 4.2.1.13 lets them be critical, yett looks them up, and pyca does not know them.
CRITICAL_CRL_POINTS = "2.5.29.31: certificate contains unaccounted-for critical extensions"
# Version 43 (Debian 13) takes no wildcard for a name where names are constrained; yett, openssl and GnuTLS hold what stands
# behind it against the constraint.
WILDCARD_UNDER_CONSTRAINTS = "malformed SAN *."
EXTENSIONS = 7  # the index of the tagged list among the elements of a TBSCertificate
CONSTRUCTED, OCTET_STRING, BIT_STRING, BOOLEAN = 0x20, 0x04, 0x03, 0x01
TAGS = (0x02, 0x04, 0x05, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x80, 0x81, 0x82, 0x86, 0x87, 0x88, 0xa0, 0xa4)
STRANGERS = ([0x05, b""], [0x02, b"\0"], [0x02, b"\xff"], [0x80, b"\0"], [0x82, b"x.example.com"], [0x82, b"*"],
             [0x87, b"\1\2\3\4"], [0xa4, [[0x30, []]]], [0x06, b"\x55\x1d\x25\0"], [0x06, b""], [0x30, []],
             [0x86, b"http://x.test/"], [BOOLEAN, b"\xff"], [BOOLEAN, b"\0"])

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None
try:
    from cryptography.x509 import verification
except ImportError:
    verification = None


class Chain:
    """A root, an authority with name constraints, and a server, with most of the extensions there are."""

    def __init__(self, seed):
        today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        self.dates = today - datetime.timedelta(days=1), today + datetime.timedelta(days=30)
        numbers = random.Random(f"keys of {seed}")
        self.keys = [ec.derive_private_key(numbers.randrange(1, 1 << 255), ec.SECP256R1()) for _ in range(3)]
        self.certs = [self.make("Root", 0, 0), self.make("CA", 1, 0, *self.of_authority()),
                      self.make(HOST, 2, 1, *self.of_server())]
        self.names = ["root", "authority", "leaf"]

    @staticmethod
    def name(common_name):
        return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
                          x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Mutation"),
                          x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    @staticmethod
    def of_authority():
        permitted = [x509.DNSName("example.com"), x509.RFC822Name("example.com")]
        excluded = [x509.DNSName("bad.test"), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))]
        return ((x509.NameConstraints(permitted, excluded), True),
                (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]), False))

    @staticmethod
    def of_server():
        point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.test/")], None, None, None)
        return ((x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName("*.example.com"),
                                              x509.RFC822Name("a@example.com")]), False),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.AuthorityInformationAccess([x509.AccessDescription(
                    AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.test/"))]), False),
                (x509.CRLDistributionPoints([point]), False),
                (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"),
                                                                  ["http://cps.test/"])]), False))

    def make(self, name, key, signer, *extensions):
        authority = name != HOST
        public, signing = self.keys[key].public_key(), self.keys[signer]
        builder = x509.CertificateBuilder(self.name("Root" if key < 2 else "CA"), self.name(name), public, 1000 + key,
                                          *self.dates)
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        for extension, critical in ((x509.SubjectKeyIdentifier.from_public_key(public), False),
                                    (x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), False),
                                    (usage, True), (x509.BasicConstraints(authority, 1 if key == 1 else None), True),
                                    *extensions):
            builder = builder.add_extension(extension, critical)
        return builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def mutated(self, rng):
        """The chain with one certificate changed, and what was done to it. A root is an anchor as it is."""
        at = rng.choice((1, 1, 2, 2, 2))
        certificate, = parse(self.certs[at])
        tbs, algorithm = certificate[1][:2]
        done = [mutate(rng, tbs) for _ in range(rng.choice((1, 1, 1, 2)))]
        signed = encode([tbs])
        signature = self.keys[at - 1].sign(signed, ec.ECDSA(hashes.SHA256()))
        chain = list(self.certs)
        chain[at] = element(0x30, signed + encode([algorithm, [BIT_STRING, b"\0" + signature]]))
        return chain, f"{self.names[at]}: {', '.join(done)}"


def parse(data):
    """Elements as [tag, contents or elements]; what an OCTET STRING holds is looked into where it is DER."""
    elements, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            size, at = int.from_bytes(data[at:at + (size & 0x7f)], "big"), at + (size & 0x7f)
        contents, at = data[at:at + size], at + size
        if len(contents) != size:
            raise ValueError("cut short")
        if tag & CONSTRUCTED:
            contents = parse(contents)
        elif tag == OCTET_STRING and contents:
            try:
                contents = parse(contents)
            except (ValueError, IndexError):
                pass
        elements.append([tag, contents])
    return elements


def element(tag, contents):
    size = len(contents)
    return bytes([tag]) + (bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100
                           else b"\x82" + size.to_bytes(2, "big")) + contents


def encode(elements):
    return b"".join(element(tag, encode(c) if isinstance(c, list) else c) for tag, c in elements)


def places(elements, path=()):
    for i, (_, contents) in enumerate(elements):
        yield path + (i,)
        if isinstance(contents, list):
            yield from places(contents, path + (i,))


def mutate(rng, tbs):
    """Changes one element of a TBSCertificate in place; the extensions' mostly. Returns what was done, for people."""
    every = list(places(tbs[1]))
    path = rng.choice([p for p in every if p[0] == EXTENSIONS and len(p) > 1] or every
                      if rng.random() < 0.75 else every)
    siblings = tbs[1]
    for i in path[:-1]:
        siblings = siblings[i][1]
    at, node = path[-1], siblings[path[-1]]
    primitive = isinstance(node[1], bytes)
    action = rng.choice(("drop", "double", "swap", "tag", "empty", "insert", "critical") +
                        (("bit", "shorten", "lengthen", "pad") if primitive else ()))
    if action == "drop":
        del siblings[at]
    elif action == "double":
        siblings.insert(at, copy.deepcopy(node))
    elif action == "swap":
        other = rng.randrange(len(siblings))
        siblings[at], siblings[other] = siblings[other], siblings[at]
    elif action == "tag":
        node[0] = rng.choice((*TAGS, node[0] ^ CONSTRUCTED, node[0] ^ 0x80, node[0] ^ 0x01))
    elif action == "empty":
        node[1] = b""
    elif action == "insert":
        siblings.insert(at, copy.deepcopy(rng.choice(STRANGERS)))
    elif action == "critical":
        turn_criticality(rng, tbs)
    elif action == "bit" and node[1]:
        changed = bytearray(node[1])
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        node[1] = bytes(changed)
    elif action == "shorten":
        node[1] = node[1][:-1]
    elif action == "lengthen":
        node[1] += rng.choice((b"\0", b"a", b"."))
    elif action == "pad":
        node[1] = b"\0" + node[1]
    return f"{action} {'.'.join(map(str, path))}"


def turn_criticality(rng, tbs):
    if tbs[1][-1][0] != 0xa3 or not isinstance(tbs[1][-1][1], list):
        return
    extension = rng.choice(tbs[1][-1][1][0][1])[1]
    if isinstance(extension, list) and len(extension) == 3:
        del extension[1]
    elif isinstance(extension, list) and len(extension) == 2:
        extension.insert(1, [BOOLEAN, b"\xff"])


def pem(*certs):
    text = ""
    for der in certs:
        text += subprocess.run(["openssl", "enc", "-base64"], input=der, capture_output=True, check=True).stdout \
            .decode().join(("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"))
    return text


def run(*command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, errors="replace")
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def refusals(chain, own):
    """Who refuses a chain, with what they say."""
    root, ca, leaf = own / "root.pem", own / "ca.pem", own / "leaf.pem"
    status, said = run("openssl", "verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-CAfile", root, "-untrusted", ca,
                       "-purpose", "sslserver", "-verify_hostname", HOST, leaf)
    if status != 0:
        yield f"openssl: {said[-200:]}"
    status, said = run("certtool", "--verify", "--load-ca-certificate", root, "--infile", own / "chain.pem",
                       "--verify-hostname", HOST, "--verify-purpose", "1.3.6.1.5.5.7.3.1")
    if status != 0:
        yield f"gnutls: {said[-200:]}"
    if verification is not None:
        try:
            root, ca, leaf = map(x509.load_der_x509_certificate, chain)
            verification.PolicyBuilder().store(verification.Store([root])) \
                .build_server_verifier(x509.DNSName(HOST)).verify(leaf, [ca])
        except (verification.VerificationError, ValueError) as error:
            if CRITICAL_CRL_POINTS not in str(error) and WILDCARD_UNDER_CONSTRAINTS not in str(error):
                yield f"pyca: {' '.join(str(error).split())[:200]}"


def judge(yett, folder, number, chain):
    """None when yett refuses the chain, or the list of those who do though it accepts."""
    own = folder / str(number)
    own.mkdir()
    for name, certs in (("root", chain[:1]), ("ca", chain[1:2]), ("leaf", chain[2:]), ("chain", chain[:0:-1])):
        (own / f"{name}.pem").write_text(pem(*certs))
    status, said = run(yett, "verify", "--profile", "strict", "--trust", own / "root.pem", "--name", f"dns:{HOST}",
                       own / "chain.pem")
    if status not in (0, 1):
        raise RuntimeError(f"yett verify ended with {status}: {said}")
    answer = list(refusals(chain, own)) if status == 0 else None
    shutil.rmtree(own)
    return answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--yett", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    args = parser.parse_args()
    missing = [c for c in ("openssl", "certtool") if shutil.which(c) is None]
    missing += ["python3-cryptography"] if x509 is None else []
    if missing:
        print(f"SKIPPED: {', '.join(missing)} not installed (scripts/packages test)")
        return SKIPPED
    rng, chain = random.Random(args.seed), Chain(args.seed)
    cases = [(list(chain.certs), "unchanged"), *(chain.mutated(rng) for _ in range(args.count))]
    with tempfile.TemporaryDirectory(prefix="yett-mutation-") as temporary, \
            concurrent.futures.ThreadPoolExecutor(2) as pool:
        folder = pathlib.Path(temporary)
        answers = list(pool.map(lambda n: judge(args.yett, folder, n, cases[n][0]), range(len(cases))))
    accepted = sum(answer is not None for answer in answers)
    print(f"{len(cases)} chains, seed {args.seed}: the strict profile accepts {accepted}"
          f"{'' if verification else '; this Python has no validator of its own'}")
    wrong = [(what, answer) for (_, what), answer in zip(cases, answers) if answer]
    for what, answer in wrong:
        print(f"ACCEPTED {what}: refused by {'; '.join(answer)}")
    # Where the unchanged chain is refused, or nearly all or nothing else is, nothing is compared.
    return 1 if wrong or answers[0] is None or not 0.05 * len(cases) < accepted < 0.9 * len(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
