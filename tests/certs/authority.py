"""Certificates for the tests, made with the openssl command so that yett's own are not both judge and judged.

A test makes an Authority in its folder and asks it for what it needs; nothing is stored in the repository.
"""
import hashlib
import pathlib
import subprocess
from dataclasses import dataclass

KEYS = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}


def openssl(*args, **options):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **options).stdout


@dataclass
class Certificate:
    """Paths of one certificate: cert and key apart, chain (leaf and issuers), and all in one file."""
    cert: pathlib.Path
    key: pathlib.Path
    chain: pathlib.Path
    pem: pathlib.Path
    name: str

    @property
    def der(self):
        return openssl("x509", "-in", self.cert, "-outform", "DER")

    @property
    def sha256(self):
        return hashlib.sha256(self.der).hexdigest()


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder, name="Test CA", key="ecdsa", issuer=None, extensions="", dates=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name, self.issuer, self.count = name, issuer, 0
        self.stem = self.folder / name.lower().replace(" ", "-")
        self.key = self._key(self.stem.with_suffix(".key"), key)
        self.cert = self.stem.with_suffix(".pem")
        extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n" \
                     "subjectKeyIdentifier=hash\n" + extensions
        self._sign(self.key, self.cert, f"/CN={name}", extensions, issuer or self, 3650, dates)
        own = self.cert.read_text()
        self.chain_text = own + issuer.chain_text if issuer and issuer.issuer else own if issuer else ""

    @staticmethod
    def _key(path, kind):
        openssl("genpkey", *KEYS[kind], "-out", path)
        path.chmod(0o600)
        return path

    def _sign(self, key, out, subject, extensions, issuer, days, start=None):
        self.count += 1
        request, ext = out.with_suffix(".csr"), out.with_suffix(".ext")
        ext.write_text(extensions)
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request, "-utf8")
        signer = ["-signkey", key] if issuer is self and key == self.key else \
            ["-CA", issuer.cert, "-CAkey", issuer.key, "-set_serial", str(1000 + issuer.count)]
        dates = ["-days", str(days)]
        if start is not None:  # openssl x509 knows no start date; faketime would be one more tool: use ca
            return issuer._sign_dated(request, ext, out, start)
        openssl("x509", "-req", "-in", request, *signer, *dates, "-extfile", ext, "-out", out, "-sha256")
        return out

    def _sign_dated(self, request, ext, out, dates):
        work = self.folder / "ca"
        work.mkdir(exist_ok=True)
        (work / "index").write_text("")
        (work / "serial").write_text(f"{4096 + self.count:X}\n")
        conf = work / "ca.cnf"
        conf.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={work}/index\nserial={work}/serial\nnew_certs_dir={work}\n"
                        f"certificate={self.cert}\nprivate_key={self.key}\ndefault_md=sha256\npolicy=p\n"
                        "unique_subject=no\n[p]\ncommonName=optional\norganizationalUnitName=optional\n"
                        "organizationName=optional\n")
        openssl("ca", "-batch", "-notext", "-config", conf, "-in", request, "-out", out, "-extfile", ext,
                "-startdate", dates[0], "-enddate", dates[1])
        return out

    def issue(self, name, *, sans=(), key="ecdsa", purpose="serverAuth", subject=None, days=30, dates=None,
              extensions=""):
        """A certificate under this authority. sans such as "DNS:localhost", "IP:127.0.0.1", "email:a@example.org".

        dates: ("YYYYMMDDHHMMSSZ", "YYYYMMDDHHMMSSZ") instead of days.
        """
        stem = self.folder / name
        key_path = self._key(stem.with_suffix(".key"), key)
        text = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n" \
               "authorityKeyIdentifier=keyid\n"
        if purpose:
            text += f"extendedKeyUsage={purpose}\n"
        if sans:
            text += "subjectAltName=" + ",".join(sans) + "\n"
        cert = self._sign(key_path, stem.with_suffix(".crt"), subject or f"/CN={name}", text + extensions, self, days,
                          dates)
        chain, pem = stem.with_suffix(".chain.pem"), stem.with_suffix(".pem")
        chain.write_text(cert.read_text() + (self.chain_text if self.issuer else ""))
        pem.write_text(chain.read_text() + key_path.read_text())
        pem.chmod(0o600)
        return Certificate(cert, key_path, chain, pem, name)

    def server(self, name="localhost", **options):
        options.setdefault("sans", (f"DNS:{name}", "IP:127.0.0.1", "IP:::1") if name == "localhost"
                           else (f"DNS:{name}",))
        return self.issue(name, **options)

    def client(self, name="alice", **options):
        options.setdefault("sans", (f"email:{name}@example.org",))
        return self.issue(name, purpose="clientAuth", **options)
