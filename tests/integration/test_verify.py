"""yett verify: every option, the JSON object, the exit status, and what is said of input that cannot be read."""
import datetime
import hashlib
import json
import re
import subprocess

import pytest
from authority import Authority, openssl
from conftest import YETT
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from revocation import crl, ocsp_response

VALID, NOT_VALID, USAGE = 0, 1, 2
CHAIN_FIELDS = {"subject", "issuer", "serial", "not_before", "not_after", "sha256", "key", "signature"}
TRIED_FIELDS = {"path", "error", "at", "detail"}


def verify(*args, status):
    """The command's two texts; no status but the one expected."""
    result = subprocess.run([YETT, "verify", *map(str, args)], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == status, (args, result.returncode, result.stdout, result.stderr)
    if status != USAGE:
        assert result.stderr == "", result.stderr
    return result.stdout, result.stderr


def verdict(*args, error=None):
    """The JSON object, whose error must be that one."""
    answer = json.loads(verify("--json", *args, status=NOT_VALID if error else VALID)[0])
    assert answer["error"] == error and answer["valid"] is (error is None), answer
    return answer


def misuse(*args):
    """The one line on standard error."""
    out, err = verify(*args, status=USAGE)
    assert out == "" and err.startswith("yett verify: ") and err.count("\n") == 1, (out, err)
    return err[len("yett verify: "):].rstrip("\n")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A root, an authority below it, a server's and a client's certificate."""
    class Pki:
        folder = tmp_path_factory.mktemp("verify")
        root = Authority(folder / "root", "Root")
        inner = Authority(folder / "inner", "Inner CA", issuer=root, extensions="authorityKeyIdentifier=keyid\n")
        server = inner.server("www.example.com", sans=("DNS:www.example.com", "IP:192.0.2.1", "email:a@example.com"))
        client = inner.client("alice")
        trust = ("--trust", root.cert)

        @classmethod
        def write(cls, name, content):
            path = cls.folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            return path
    return Pki


# ---- what is printed ----

def validity(cert):
    """The first and the last second, with their time zone, as python-cryptography has them since version 42 only."""
    if hasattr(cert, "not_valid_before_utc"):
        return cert.not_valid_before_utc, cert.not_valid_after_utc
    return [d.replace(tzinfo=datetime.timezone.utc) for d in (cert.not_valid_before, cert.not_valid_after)]


def test_json_object_of_a_valid_chain(pki):
    answer = verdict(*pki.trust, "--name", "dns:www.example.com", pki.server.chain)
    assert {"valid", "error", "detail", "chain", "ev", "revocation", "tried", "signature_checks"} <= set(answer)
    assert answer["revocation"] == "nothing_found" and answer["tried"] == []
    assert answer["signature_checks"] == 2 and answer["detail"] == "the certificate is valid"
    assert [c["subject"] for c in answer["chain"]] == ["CN=www.example.com", "CN=Inner CA", "CN=Root"]
    assert [c["issuer"] for c in answer["chain"]] == ["CN=Inner CA", "CN=Root", "CN=Root"]
    for said, path in zip(answer["chain"], (pki.server.cert, pki.inner.cert, pki.root.cert)):
        assert set(said) == CHAIN_FIELDS
        cert = x509.load_pem_x509_certificate(path.read_bytes())
        assert said["sha256"] == hashlib.sha256(cert.public_bytes(serialization.Encoding.DER)).hexdigest()
        assert int(said["serial"].replace(":", ""), 16) == cert.serial_number
        assert [said["not_before"], said["not_after"]] == [d.strftime("%Y-%m-%dT%H:%M:%SZ") for d in validity(cert)]
        assert said["key"] == "EC P-256" and said["signature"] == "ecdsa-sha256"


def test_json_object_of_a_chain_that_is_not_valid(pki):
    answer = verdict(*pki.trust, pki.server.cert, error="unknown_issuer")
    assert answer["chain"] == [] and not answer["ev"]
    assert "CN=Inner CA, which the peer did not send" in answer["detail"]
    tried, = answer["tried"]
    assert set(tried) == TRIED_FIELDS
    assert tried["path"] == ["CN=www.example.com"] and tried["error"] == "unknown_issuer"
    assert tried["at"] == "CN=www.example.com" and tried["detail"] == answer["detail"]


def test_text_of_both(pki):
    out, _ = verify(*pki.trust, pki.server.chain, status=VALID)
    assert out.startswith("valid; revocation: nothing_found\n") and out.endswith("signature checks: 2\n")
    assert re.search(r"^  0  CN=www\.example\.com\n     .* to .*, EC P-256, ecdsa-sha256, sha256 [0-9a-f]{64}$", out, re.M)
    out, _ = verify(*pki.trust, pki.server.cert, status=NOT_VALID)
    assert out.startswith("not valid: unknown_issuer: no path to a trusted certificate was found: CN=www.example.com ")
    assert "\ntried: CN=www.example.com\nsignature checks: 0\n" in out  # what was said of it is not said again


def test_tried_paths_say_where_each_stopped(pki, tmp_path):
    """Two issuers of one name and key: an expired one, and one that may not issue."""
    text = pki.server.cert.read_text()
    dates = ("20240101000000Z", "20250101000000Z")
    for name, days, extensions in (("old", dates, "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"),
                                   ("leaf", None, "basicConstraints=critical,CA:FALSE\nkeyUsage=keyCertSign\n")):
        text += pki.root._sign(pki.inner.key, tmp_path / f"{name}.pem", "/CN=Inner CA", extensions, pki.root, 30,
                               days).read_text()
    answer = verdict(*pki.trust, pki.write("two.pem", text), error="unknown_issuer")
    assert {(t["error"], t["at"], len(t["path"])) for t in answer["tried"]} == {
        ("expired_issuer", "CN=Inner CA", 2), ("not_a_ca", "CN=Inner CA", 2)}
    details = " ".join(t["detail"] for t in answer["tried"])
    assert "not after 2025-01-01T00:00:00Z" in details and "is not a certificate authority" in details
    out, _ = verify(*pki.trust, pki.folder / "two.pem", status=NOT_VALID)
    names = set(re.findall(r"^tried: CN=www.example.com <- (CN=Inner CA \[(?:serial|sha256) [0-9a-f.]+\])$", out, re.M))
    assert len(names) == 2 and all(name in details for name in names)  # told apart


def test_help(pki):
    out, err = verify("--help", status=VALID)
    assert err == "" and out.startswith("yett verify [options] CHAIN.pem")
    for option in ("--trust", "--roots", "--intermediates", "--purpose", "--profile", "--name", "--time", "--crl", "--ocsp",
                   "--revocation", "--blocklist", "--pin", "--ev", "--json"):
        assert f"\n  {option} " in out


# ---- whom to trust ----

def test_trust_is_repeatable_and_may_be_a_folder(pki):
    other = Authority(pki.folder / "other", "Other Root")
    verdict("--trust", other.cert, pki.server.chain, error="unknown_issuer")
    verdict("--trust", other.cert, "--trust", pki.root.cert, pki.server.chain)
    anchors = pki.folder / "anchors"
    anchors.mkdir()
    (anchors / "root.pem").write_text(pki.root.cert.read_text())
    verdict("--trust", anchors, pki.server.chain)


def test_an_authority_may_be_the_anchor(pki):
    answer = verdict("--trust", pki.inner.cert, pki.server.chain)
    assert [c["subject"] for c in answer["chain"]] == ["CN=www.example.com", "CN=Inner CA"]


@pytest.mark.parametrize("roots", ["mozilla", "system", "none"])
def test_roots_are_added_to_those_trusted(pki, roots):
    verdict("--roots", roots, pki.server.chain, error="unknown_issuer")
    verdict("--roots", roots, *pki.trust, pki.server.chain)


def mozilla_root():
    """A root of the system's list that has long to live, in PEM."""
    text = open("/etc/ssl/certs/ca-certificates.crt", encoding="ascii").read()
    for pem in re.findall(r"-----BEGIN.*?END CERTIFICATE-----\n", text, re.S):
        cert = x509.load_pem_x509_certificate(pem.encode())
        if cert.subject.rfc4514_string().startswith("CN=ISRG Root X1"):
            return pem
    raise AssertionError("ISRG Root X1 is not in the system's list")


def test_mozillas_roots_are_the_default_only_where_nothing_is_trusted(pki):
    """A root as a leaf is no good leaf, but it is found on its own path, or not."""
    chain = pki.write("isrg.pem", mozilla_root())
    for trusted in ((), ("--roots", "mozilla"), ("--roots", "system"), ("--roots", "system", *pki.trust)):
        verdict(*trusted, chain, error="bad_key_usage")
    for untrusted in (("--roots", "none"), pki.trust, ("--roots", "none", *pki.trust)):
        verdict(*untrusted, chain, error="self_signed")


def test_intermediates_help_and_are_not_trusted(pki):
    verdict(*pki.trust, "--intermediates", pki.inner.cert, pki.server.cert)
    verdict("--roots", "none", "--intermediates", pki.inner.cert, "--intermediates", pki.root.cert, pki.server.cert,
            error="unknown_issuer")


# ---- what is asked ----

def test_purpose(pki):
    verdict(*pki.trust, "--purpose", "server", pki.server.chain)
    verdict(*pki.trust, "--purpose", "client", pki.client.chain)
    verdict(*pki.trust, pki.client.chain, error="bad_extended_key_usage")
    answer = verdict(*pki.trust, "--purpose", "client", pki.server.chain, error="bad_extended_key_usage")
    assert "clientAuth" in answer["detail"] and "serverAuth" in answer["detail"]
    verdict(*pki.trust, "--purpose", "client", "--peer-purpose", "any", pki.server.chain)
    verdict(*pki.trust, "--purpose", "client", "--peer-purpose", "server", pki.server.chain)
    verdict(*pki.trust, "--purpose", "client", "--peer-purpose", "server", pki.client.chain, error="bad_extended_key_usage")
    assert "--purpose client" in misuse(*pki.trust, "--peer-purpose", "any", pki.server.chain)


def test_any_usage_is_for_clients_as_in_the_proxy(pki):
    anything = pki.inner.issue("anything", sans=("email:anything@example.org",), purpose="anyExtendedKeyUsage")
    verdict(*pki.trust, "--purpose", "client", anything.chain)
    verdict(*pki.trust, "--purpose", "server", anything.chain, error="bad_extended_key_usage")


def test_identities_are_allow_rules(pki):
    smart = pki.inner.issue("smart", purpose="clientAuth", subject="/CN=Alice/serialNumber=PNOEE-38001085718",
                            sans=("email:alice@example.org", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp.example"),
                            extensions="certificatePolicies=1.2.3.4\n")
    rules = verdict(*pki.trust, "--purpose", "client", smart.chain)["identities"]
    assert {"san_email:alice@example.org", "san_upn:alice@corp.example", "cn:Alice",
            "serial_number:PNOEE-38001085718"} <= set(rules)
    assert sum(rule.startswith("issuer:sha256=") for rule in rules) == 2
    out, _ = verify(*pki.trust, "--purpose", "client", smart.chain, status=VALID)
    assert all(f"allow: {rule}\n" in out for rule in rules)


@pytest.mark.parametrize("name, error", [
    ("dns:www.example.com", None), ("dns:WWW.example.com.", None), ("dns:example.com", "name_mismatch"),
    ("ip:192.0.2.1", None), ("ip:192.0.2.2", "name_mismatch"), ("ip:2001:db8::1", "name_mismatch"),
    ("email:a@example.com", None), ("email:b@example.com", "name_mismatch"), ("dns:192-0-2-1.example", "name_mismatch")])
def test_name(pki, name, error):
    answer = verdict(*pki.trust, "--name", name, pki.server.chain, error=error)
    if error:
        assert "www.example.com" in answer["detail"]


def test_time(pki):
    cert = x509.load_pem_x509_certificate(pki.server.cert.read_bytes())
    first, last = validity(cert)
    second = datetime.timedelta(seconds=1)
    east = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    for at, error in ((first, None), (last, None), (last + second, "expired")):
        verdict(*pki.trust, "--time", f"@{int(at.timestamp())}", pki.server.chain, error=error)
        verdict(*pki.trust, "--time", at.strftime("%Y-%m-%dT%H:%M:%SZ"), pki.server.chain, error=error)
        verdict(*pki.trust, "--time", at.astimezone(east).isoformat(), pki.server.chain, error=error)
    answer = verdict(*pki.trust, "--time", "2020-01-01T00:00:00Z", pki.server.chain, error="not_yet_valid")
    assert "now is 2020-01-01T00:00:00Z" in answer["detail"]
    assert "CN=www.example.com (not before " in answer["detail"]


def test_profile(pki):
    """The strict one asks for what the default one lets pass: here a host name as the common name, and an underscore."""
    odd = pki.inner.server("odd", sans=("DNS:a_b.example.com",), subject="/CN=a_b.example.com")
    verdict(*pki.trust, "--profile", "strict", "--name", "dns:www.example.com", pki.server.chain)
    verdict(*pki.trust, "--profile", "default", odd.chain)
    answer = verdict(*pki.trust, "--profile", "strict", odd.chain, error="rule_violation")
    assert answer["detail"].endswith(": a host name is not a host name"), answer


@pytest.mark.parametrize("salt", [0, 20, 32, "max"])
def test_rsa_pss_with_any_salt(pki, salt, tmp_path):
    """openssl signs with the longest salt that the modulus allows; strict wants one as long as the hash."""
    def sign(name, *options):
        openssl("req", "-new", "-key", tmp_path / "rsa.key", "-subj", f"/CN={name}", "-out", tmp_path / f"{name}.csr")
        openssl("x509", "-req", "-in", tmp_path / f"{name}.csr", "-out", tmp_path / f"{name}.pem", "-sha256", "-days", "9",
                "-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}",
                "-extfile", tmp_path / f"{name}.ext", *options)
        return tmp_path / f"{name}.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", tmp_path / "rsa.key")
    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
                                     "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    (tmp_path / "host.ext").write_text("subjectAltName=DNS:host\nauthorityKeyIdentifier=keyid\n")
    ca = sign("ca", "-signkey", tmp_path / "rsa.key")
    host = sign("host", "-CA", ca, "-CAkey", tmp_path / "rsa.key", "-set_serial", "2")
    assert verdict("--trust", ca, "--name", "dns:host", host)["chain"][0]["signature"] == "rsa-pss-sha256"
    answer = verdict("--trust", ca, "--profile", "strict", host, error=None if salt == 32 else "rule_violation")
    assert salt == 32 or "salt" in answer["detail"]


def test_pin(pki):
    def pin(path):
        return hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER",
                                      input=openssl("x509", "-in", path, "-noout", "-pubkey"))).hexdigest()

    verdict(*pki.trust, "--pin", pin(pki.inner.cert), pki.server.chain)
    verdict(*pki.trust, "--pin", "0" * 64, "--pin", pin(pki.root.cert).upper(), pki.server.chain)
    verdict(*pki.trust, "--pin", "0" * 64, pki.server.chain, error="pin_mismatch")


def test_blocklist(pki):
    block = pki.write("block", f"# comment\nsha256 = {pki.inner.cert.name}\n")
    assert f"{block}: line 2" in misuse(*pki.trust, "--blocklist", block, pki.server.chain)
    digest = hashlib.sha256(openssl("x509", "-in", pki.inner.cert, "-outform", "DER")).hexdigest()
    block = pki.write("block", f"# the inner authority\nsha256:{digest}\n")
    answer = verdict(*pki.trust, "--blocklist", block, pki.server.chain, error="distrusted_issuer")
    assert answer["detail"].endswith("CN=Inner CA (by the blocklist)")


# ---- revocation ----

def test_crls_of_each_encoding(pki):
    for encoding in ("PEM", "DER"):
        good = pki.write(f"good.{encoding}", crl(pki.inner, encoding=encoding))
        bad = pki.write(f"bad.{encoding}", crl(pki.inner, [pki.server], encoding=encoding))
        assert verdict(*pki.trust, "--crl", good, pki.server.chain)["revocation"] == "good_crl"
        answer = verdict(*pki.trust, "--crl", bad, pki.server.chain, error="revoked")
        assert answer["revocation"] == "revoked" and answer["chain"] == []
        assert verdict(*pki.trust, "--revocation", "off", "--crl", bad, pki.server.chain)["revocation"] == "not_checked"


def test_ocsp_responses(pki):
    good = pki.write("good.ocsp", ocsp_response(pki.inner, pki.server))
    bad = pki.write("bad.ocsp", ocsp_response(pki.inner, pki.server, "revoked"))
    other = pki.write("other.ocsp", ocsp_response(pki.inner, pki.client))
    assert verdict(*pki.trust, "--ocsp", good, pki.server.chain)["revocation"] == "good_ocsp"
    assert verdict(*pki.trust, "--ocsp", other, pki.server.chain)["revocation"] == "nothing_found"
    verdict(*pki.trust, "--ocsp", other, "--ocsp", bad, pki.server.chain, error="revoked")


def test_hard_revocation_wants_a_statement_about_every_certificate(pki):
    of_root, of_inner = pki.write("root.crl", crl(pki.root)), pki.write("inner.crl", crl(pki.inner))
    hard = (*pki.trust, "--revocation", "hard", pki.server.chain)
    verdict("--revocation", "soft", *pki.trust, pki.server.chain)
    verdict(*hard, error="revocation_unknown")
    verdict("--crl", of_inner, *hard, error="revocation_unknown")
    assert verdict("--crl", of_inner, "--crl", of_root, *hard)["revocation"] == "good_crl"


# ---- wrong usage, unreadable input ----

@pytest.mark.parametrize("args, says", [
    ((), "exactly one CHAIN.pem is needed"),
    (("a.pem", "b.pem"), "exactly one CHAIN.pem is needed"),
    (("--nonsense", "a.pem"), "unknown option, or one without its argument: --nonsense"),
    (("a.pem", "--trust"), "unknown option, or one without its argument: --trust"),
    (("--roots", "all", "a.pem"), "--roots is mozilla, system or none: all"),
    (("--purpose", "email", "a.pem"), "--purpose is server or client: email"),
    (("--profile", "lax", "a.pem"), "--profile is default or strict: lax"),
    (("--revocation", "on", "a.pem"), "--revocation is off, soft or hard: on"),
    (("--pin", "12", "a.pem"), "--pin is 64 hexadecimal digits, at most 32 times: 12"),
    (("--pin", "x" * 64, "a.pem"), "--pin is 64 hexadecimal digits, at most 32 times: " + "x" * 64),
    *((("--name", name, "a.pem"), f"--name is dns:HOST, ip:ADDRESS or email:ADDRESS: {name}")
      for name in ("www.example.com", "dns:", "dns:*.example.com", "dns:a b", "ip:1.2.3", "ip:", "email:alice", "uri:x")),
    *((("--time", time, "a.pem"), f"--time is like 2026-01-31T12:00:00Z, or @SECONDS: {time}")
      for time in ("", "now", "2026-01-31", "2026-01-31T12:00:00", "@", "@-1", "@ 1", "@1x", "@99999999999999999999",
                   "2026-02-30T00:00:00Z", "2026-1-31T12:00:00Z", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00+2",
                   "2026-01-31T25:00:00Z", "2026-01-31T12:00:60Z", "2026-01-31T12:00:00Zulu")),
])
def test_wrong_usage(args, says):
    assert misuse(*args) == f"{says}; see yett verify --help"


@pytest.mark.parametrize("option", ["--trust", "--intermediates", "--crl", "--ocsp", "--blocklist", None])
@pytest.mark.parametrize("kind", ["missing", "empty", "garbage", "wrong kind", "folder"])
def test_unreadable_files_are_named(pki, option, kind):
    path = pki.folder / f"unreadable-{kind}"
    if kind == "folder":
        path.mkdir(exist_ok=True)
    elif kind != "missing":
        path.write_bytes({"empty": b"", "garbage": b"\x30\x82garbage\n\x00",
                          "wrong kind": pki.server.key.read_bytes()}[kind])
    args = (path,) if option is None else (option, path, pki.server.chain)
    if option == "--blocklist" and kind == "empty":
        verdict(*pki.trust, *args)  # an empty list blocks nothing
    else:
        assert str(path) in misuse(*pki.trust, *args)


def test_a_damaged_certificate_behind_the_leaf_is_a_stranger(pki):
    """What the peer sent besides its own certificate is of no account when it cannot be read."""
    der = bytearray(openssl("x509", "-in", pki.root.cert, "-outform", "DER"))
    der[4] ^= 0xff
    damaged = pki.write("damaged.der", bytes(der))
    text = openssl("enc", "-base64", "-in", damaged).decode()
    chain = pki.write("damaged.pem", pki.server.chain.read_text() +
                      f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    verdict(*pki.trust, chain)
    answer = verdict(*pki.trust, pki.write("damaged-leaf.pem", "-----BEGIN CERTIFICATE-----\n" + text +
                                           "-----END CERTIFICATE-----\n"), error="bad_der")
    assert answer["chain"] == [] and answer["tried"] == [] and answer["signature_checks"] == 0
    assert answer["detail"] == "the peer's certificate: the encoding is not valid DER"


def test_wrong_usage_is_told_before_any_file_is_opened(pki):
    assert misuse("--trust", pki.folder / "missing", "--name", "nobody", "a.pem").startswith("--name is ")


def test_dates_the_wrong_way_round_are_told_as_that(tmp_path):
    """openssl x509 -days -1, for one, makes them: both are well encoded."""
    ca = Authority(tmp_path / "ca")
    backwards = ca.issue("backwards", sans=("DNS:localhost",), dates=("20300101000000Z", "20290101000000Z"))
    answer = verdict("--trust", ca.cert, backwards.chain, error="bad_time")
    assert answer["detail"].endswith(
        "(it ends before it begins: not before 2030-01-01T00:00:00Z, not after 2029-01-01T00:00:00Z)"), answer
