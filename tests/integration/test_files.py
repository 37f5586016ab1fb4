"""The files a configuration names: what each takes of what people write, and that nothing else is passed over in silence."""
import base64
import datetime
import json
import os
import re
import ssl
import subprocess

import pytest
from authority import Authority
from conftest import PATIENCE, YETT, Yett, sanitizer_lines
from peers import client_tls, free_port, tool
from revocation import crl
from test_revocation import Backend, passes
from test_tls import exchange, originating, terminating

BOM = b"\xef\xbb\xbf"
PORT = free_port()  # of services that are checked, and not started


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    ca = Authority(folder / "ca")
    return ca, ca.server("localhost"), folder


# What a file of PEM blocks of one label may look like. `text` is the file as it should be, with one block or more.
GOOD = {
    "as it should be": lambda text, label: text,
    "byte order mark": lambda text, label: BOM + text,
    "CR LF": lambda text, label: text.replace(b"\n", b"\r\n"),
    "CR": lambda text, label: text.replace(b"\n", b"\r"),
    "byte order mark and CR LF": lambda text, label: BOM + text.replace(b"\n", b"\r\n"),
    "indented": lambda text, label: b"".join(b"  \t" + line + b" \n" for line in text.splitlines()),
    "text before": lambda text, label: b"Subject: CN=x\n\n" + text + b"\nand after\n",
}

# ... and what is a mistake, with the words that tell it.
BAD = {
    "junk before BEGIN": (lambda text, label: b"x" + text, ":1: the line has a BEGIN or END"),
    "byte order mark within": (lambda text, label: text + BOM + text, "the line has a BEGIN or END"),
    "commented out": (lambda text, label: text + b"#" + text.replace(b"\n", b"\n#"), "the line has a BEGIN or END"),
    "four dashes": (lambda text, label: text.replace(b"-----BEGIN", b"----BEGIN", 1), ":1: the line has a BEGIN or END"),
    "wrong label": (lambda text, label: text + text.replace(label, b"CERTIFICATE REQUEST"), "has no place here"),
    "no such label": (lambda text, label: text.replace(label, b"SOMETHING"), ":1: the block \"SOMETHING\" has no place here"),
    "unterminated": (lambda text, label: text + b"\n".join(text.splitlines()[:2]) + b"\n", "has no END line"),
    "no BEGIN": (lambda text, label: text + b"\n".join(text.splitlines()[1:]) + b"\n", "its BEGIN line is missing"),
    "not base64": (lambda text, label: text.replace(b"\n", b"\n!", 1), "is not base64"),
    "UTF-16": (lambda text, label: text.decode().encode("utf-16"), "is UTF-16"),
    "zero byte": (lambda text, label: text + b"\0", "has a NUL in it"),
    "empty": (lambda text, label: b"", "has no PEM block"),
    "text only": (lambda text, label: b"to be filled in\n", "has no PEM block"),
}


def kinds(pki, name, folder):
    """The file as it should be, its label, and a configuration that names it as FILE."""
    ca, server, _ = pki
    out = originating(PORT, "localhost:1", ca.cert)
    return {
        "identity": (server.pem.read_bytes(), b"CERTIFICATE", terminating(PORT, "127.0.0.1:2", "file:FILE")),
        "connect_identity": (server.pem.read_bytes(), b"CERTIFICATE", out + "connect_identity = file:FILE\n"),
        "trust": (ca.cert.read_bytes(), b"CERTIFICATE", originating(PORT, "localhost:1", "FILE")),
        "peer_trust": (ca.cert.read_bytes(), b"CERTIFICATE",
                       terminating(PORT, "127.0.0.1:2", f"file:{server.pem}",
                                   "peer = require\nallow = any\npeer_trust = file:FILE\n")),
        "crl": (crl(ca), b"X509 CRL", out + "crl = file:FILE\n"),
    }[name]


def check(folder, configuration):
    """yett check's exit status and what it said."""
    result = Yett(folder, configuration).command("check", check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["identity", "connect_identity", "trust", "peer_trust", "crl"])
def test_pem_files_take_what_people_write(pki, folder, kind):
    path = folder / "file.pem"
    text, label, configuration = kinds(pki, kind, folder)
    for name, write in GOOD.items():
        path.write_bytes(write(text, label))
        path.chmod(0o600)
        status, said = check(folder, configuration.replace("FILE", str(path)))
        assert status == 0, f"{name}: {said}"


@pytest.mark.parametrize("kind", ["identity", "connect_identity", "trust", "peer_trust", "crl"])
def test_pem_files_pass_over_nothing_in_silence(pki, folder, kind):
    path = folder / "file.pem"
    text, label, configuration = kinds(pki, kind, folder)
    for name, (write, words) in BAD.items():
        path.write_bytes(write(text, label))
        path.chmod(0o600)
        status, said = check(folder, configuration.replace("FILE", str(path)))
        assert status == 1 and words in said and f"{path}:" in said, f"{name}: {said}"


# Text with a rule on each line.
RULES = {
    "blocklist": ("[yett]\nblocklist = file:FILE\n", "sha256:" + 64 * "a"),
    "ev": ("[yett]\nev = file:FILE\n", "2.23.140.1.1=" + 64 * "b"),
}


@pytest.mark.parametrize("kind", RULES)
def test_rule_files_know_every_line_end(folder, kind):
    path = folder / "rules"
    settings, rule = RULES[kind]
    service = f"[service s]\nprotocol = tcp\nlisten = 127.0.0.1:{PORT}\nconnect = 127.0.0.1:2\nconnect_tls = none\n"
    for end in ("\n", "\r\n", "\r"):
        for mark in (b"", BOM):
            # The third line is wrong: a file whose lines are not seen would have no such finding.
            lines = ["# comment", rule, "nonsense", rule.replace("aa", "cc").replace("bb", "dd")]
            path.write_bytes(mark + end.join(lines).encode() + end.encode())
            one = Yett(folder, service, settings=settings.removeprefix("[yett]\n").replace("FILE", str(path)))
            result = one.command("check", check=False)
            assert result.returncode == 1 and result.stdout.startswith(f"{path}:3: "), (end, mark, result)
            assert len(result.stdout.splitlines()) == 1, result
    path.write_bytes((rule + "\n").encode("utf-16"))
    result = one.command("check", check=False)
    assert result.returncode == 1 and "is UTF-16" in result.stdout, result


def test_blocklist_with_cr_line_ends_blocks(yett, pki, folder, port):
    ca, server, _ = pki
    path = folder / "blocklist"
    fingerprint = tool("openssl", "x509", "-in", server.cert, "-noout", "-fingerprint", "-sha256").stdout
    path.write_text("# mine\r\rsha256:" + fingerprint.split("=")[1].strip().replace(":", "") + "\r", newline="")
    with Backend(server) as backend:
        yett(originating(port, f"localhost:{backend.port}", ca.cert), settings=f"blocklist = file:{path}\n")
        assert not passes(port)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_configuration_knows_every_line_end(folder, end):
    path = folder / "yett.conf"
    lines = ["[service s]", "listen = 127.0.0.1:1", "connect = 127.0.0.1:2", "nonsense", ""]
    path.write_bytes(BOM + end.join(lines).encode())
    result = subprocess.run([str(YETT), "check", "-c", str(path)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.stdout.startswith(f"{path}:4: the line must be KEY = VALUE"), result
    path.write_bytes("\n".join(lines[:3]).encode("utf-16"))
    result = subprocess.run([str(YETT), "check", "-c", str(path)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.returncode == 1 and "the file is UTF-16" in result.stdout, result


def test_crl_with_byte_order_mark_revokes(yett, pki, folder, port):
    """The list that revokes is the first, behind the mark; a reader that does not see it is content with the second."""
    ca, server, _ = pki
    path = folder / "two.crl"
    path.write_bytes(BOM + crl(ca, [server], number=2) + crl(Authority(folder / "o", "Other")))
    with Backend(server) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, f"crl = file:{path}\n"))
        assert not passes(port)
        running.wait_for_log('"revoked"')


def test_crl_file_says_how_many_lists_it_has(yett, pki, folder, port):
    ca, server, _ = pki
    path = folder / "two.crl"
    path.write_bytes(crl(ca) + crl(Authority(folder / "o", "Other")))
    with Backend(server) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, f"crl = file:{path}\n"))
        assert passes(port)
        assert f": note: crl: {path} has 2 lists\n" in running.command("check").stdout
        (line,) = running.log_lines("crls_read")
        assert line["reason"] == f"crl: {path} has 2 lists" and line["place"].startswith(f"{running.config}:"), line
    added = tool(YETT, "crl", "add", "--directory", folder / "crls", path).stdout
    assert added.splitlines()[-1] == f"{path}: 2 lists", added


def warnings(said):
    return [line.split(": warning: ", 1)[1] for line in said.splitlines() if ": warning: " in line]


def test_own_certificate_out_of_its_time_is_told(yett, pki, folder, port):
    """Every client refuses it: whoever looks the configuration over hears of it, and a start goes on with it."""
    ca, server, _ = pki
    assert warnings(Yett(folder / "g", terminating(1, "127.0.0.1:2", f"file:{server.pem}")).command("check").stdout) == []
    late = ca.issue("late", sans=("DNS:localhost",), dates=("20400101000000Z", "20410101000000Z"))
    said = Yett(folder / "l", terminating(1, "127.0.0.1:2", f"file:{late.pem}")).command("check").stdout
    (line,) = warnings(said)
    assert line.startswith(f"identity file:{late.pem}: the certificate CN=late is not valid before 2040-01-01T00:00:00Z"), line
    past = ca.issue("past", sans=("DNS:localhost",), dates=("20200101000000Z", "20210101000000Z"))
    running = yett(terminating(port, "127.0.0.1:2", f"file:{past.pem}"))
    words = f"identity file:{past.pem}: the certificate CN=past has expired, at 2021-01-01T00:00:00Z: peers refuse it; renew it"
    assert warnings(running.command("check").stdout) == [words]
    (line,) = running.log_lines("identity_expired")
    assert line["level"] == "warning" and line["reason"] == words, line
    reload = running.command("reload")
    assert (reload.returncode, warnings(reload.stdout)) == (0, [words]), reload


def test_certificates_in_the_wrong_order_are_told(pki, folder):
    ca, server, _ = pki
    pem = folder / "wrong-order.pem"
    with open(os.open(pem, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as f:
        for path in (ca.cert, server.pem):
            f.write(open(path, "rb").read())
    result = Yett(folder / "o", terminating(1, "127.0.0.1:2", f"file:{pem}")).command("check", check=False)
    assert result.returncode == 1
    assert f'"{pem}": the private key belongs to certificate 2 of the file, and its own must be the first one' in result.stdout, result


@pytest.mark.parametrize("hours, said", [(13 * 24 + 1, "in 13 days"), (47.5, "in 47 hours"), (15 * 24, None)])
def test_own_certificate_that_ends_soon_is_told(yett, pki, folder, port, hours, said):
    """Before its clients tell: as long before as expiry_warning says."""
    ca = pki[0]
    ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours, minutes=1)
    soon = ca.issue("soon", sans=("DNS:localhost",), dates=("20200101000000Z", f"{ends:%Y%m%d%H%M%SZ}"))
    running = yett(terminating(port, "127.0.0.1:2", f"file:{soon.pem}"))
    words = f"identity file:{soon.pem}: the certificate CN=soon ends at {ends:%Y-%m-%dT%H:%M:%SZ}, {said}: renew it, and reload"
    told = [words] if said else []
    assert warnings(running.command("check").stdout) == told
    assert [x["reason"] for x in running.log_lines("identity_expires")] == told
    assert warnings(running.command("reload").stdout) == told
    running.settings = "expiry_warning = 0\n"
    running.configure(terminating(port, "127.0.0.1:2", f"file:{soon.pem}"))
    assert warnings(running.command("check").stdout) == []


def test_a_reload_says_once_what_all_workers_find(yett, pki, folder, port):
    ca, server, _ = pki
    past = ca.issue("past", sans=("DNS:localhost",), dates=("20200101000000Z", "20210101000000Z"))
    running = yett(terminating(port, "127.0.0.1:2", f"file:{server.pem}"), settings="workers = 3\n")
    assert running.command("reload").stdout == ""
    running.config.write_text(running.config.read_text().replace(str(server.pem), str(past.pem)))
    said = running.command("reload").stdout.splitlines()
    assert len(said) == 1 and said[0].startswith(f"{running.config}:") and ": warning: identity file:" in said[0], said


def test_authority_that_has_expired_is_told(pki, folder):
    ca, _, _ = pki
    old = Authority(folder / "old", "Old", issuer=ca, dates=("20200101000000Z", "20210101000000Z"))
    bundle = folder / "bundle.pem"
    bundle.write_text(ca.cert.read_text() + old.cert.read_text())
    (line,) = warnings(Yett(folder / "y", originating(1, "localhost:2", bundle)).command("check").stdout)
    assert line == "trust: the authority CN=Old has expired, at 2021-01-01T00:00:00Z: what it has issued is refused; a newer one is needed"


def test_certificate_that_goes_out_alone_is_told(pki, folder):
    """As those of public authorities say where their issuer's is. One of a private root says nothing, and needs nobody."""
    ca, server, _ = pki
    issuer = Authority(folder / "i", "Issuing", issuer=ca)
    whole = issuer.issue("localhost", sans=("DNS:localhost",), extensions="authorityInfoAccess=caIssuers;URI:http://ca.test/i.crt\n")
    alone = folder / "alone.pem"
    alone.write_text(whole.cert.read_text() + whole.key.read_text())
    alone.chmod(0o600)
    for name, pem, told in [("private", server.pem, False), ("whole", whole.pem, False), ("alone", alone, True)]:
        said = warnings(Yett(folder / name, terminating(1, "127.0.0.1:2", f"file:{pem}")).command("check").stdout)
        assert len(said) == int(told), said
        assert not told or "which CN=Issuing has issued" in said[0] and "full chain" in said[0], said


def test_staple_that_is_old_is_told(pki, folder):
    ca, server, _ = pki
    response, index = folder / "staple.der", folder / "index"
    serial = tool("openssl", "x509", "-in", server.cert, "-noout", "-serial").stdout.split("=")[1].strip()
    index.write_text(f"V\t301231235959Z\t\t{serial}\tunknown\t/CN=localhost\n")
    tool("openssl", "ocsp", "-index", index, "-rsigner", ca.cert, "-rkey", ca.key, "-CA", ca.cert, "-issuer", ca.cert, "-cert",
         server.cert, "-respout", response, "-ndays", "1")
    text = terminating(1, "127.0.0.1:2", f"file:{server.pem}", f"ocsp_staple = {response}\n")
    assert warnings(Yett(folder / "new", text).command("check").stdout) == []
    data = response.read_bytes()
    ends = max(m.start() for m in re.finditer(rb"\x18\x0f\d{14}Z", data))  # its last time: nextUpdate
    response.write_bytes(data[:ends + 2] + b"20210101000000Z" + data[ends + 17:])
    (line,) = warnings(Yett(folder / "old", text).command("check").stdout)
    assert line == f"ocsp_staple: {response}: should have been replaced by now, at 2021-01-01T00:00:00Z: clients may refuse it"


def test_revocation_list_out_of_its_time_is_told(yett, pki, folder, port):
    ca, _, _ = pki
    old, new = folder / "old.crl", folder / "new.crl"
    old.write_bytes(crl(ca, days=(-10, -3)))
    new.write_bytes(crl(ca))
    text = originating(port, "localhost:2", ca.cert, f"crl = file:{new}, file:{old}\n")
    running = yett(text)
    (line,) = warnings(running.command("check").stdout)
    assert " has expired, at 20" in line and line.endswith(": it does not count; a newer one is needed"), line
    assert [said["reason"] for said in running.log_lines("crl_expired")] == [line]
    assert warnings(running.command("reload").stdout) == [line]


def test_staple_that_is_none_is_a_mistake(pki, folder):
    """A certificate, or a PEM file, in its place would be sent to every client."""
    ca, server, _ = pki
    one = Yett(folder / "y", terminating(1, "127.0.0.1:2", f"file:{server.pem}", f"ocsp_staple = {ca.cert}\n"))
    result = one.command("check", check=False)
    assert result.returncode == 1, result
    assert result.stdout.endswith(f"ocsp_staple: {ca.cert}: is not an OCSP response in DER\n"), result.stdout


def broken_authority(folder):
    """Whole PEM with a readable name, and a critical extension that nobody knows."""
    der = ssl.PEM_cert_to_DER_cert(Authority(folder / "broken", "Broken CA").cert.read_text())
    at = der.rindex(bytes.fromhex("0603551d13"))  # that was basicConstraints
    return ssl.DER_cert_to_PEM_cert(der[:at] + bytes.fromhex("0603551d7f") + der[at + 5:])


def test_bad_authority_of_a_bundle_is_told_and_left_out(yett, pki, folder, port):
    ca, server, _ = pki
    bundle = folder / "bundle.pem"
    bundle.write_text(broken_authority(folder) + ca.cert.read_text())
    with Backend(server) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", bundle))
        assert passes(port)
        said = running.command("check").stdout
        assert f": warning: trust: left out: {bundle}:1: certificate 1: CN=Broken CA: not a usable certificate: " in said
        (line,) = running.log_lines("authority_left_out")
        assert line["level"] == "warning" and "CN=Broken CA" in line["reason"], line
    verify = tool(YETT, "verify", "--trust", bundle, "--name", "dns:localhost", server.chain)
    assert "left out: " in verify.stderr and "CN=Broken CA" in verify.stderr, verify
    bundle.write_text(broken_authority(folder))  # nothing left
    status, said = check(folder / "none", originating(PORT, "localhost:1", bundle))
    assert status == 1 and "CN=Broken CA: not a usable certificate" in said, said


def pkcs8_of(sec1):
    """The older form of an EC key on P-256 (RFC 5915, DER), whatever it lacks, in the newer one (RFC 5958)."""
    def tlv(tag, body):
        return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    return tlv(0x30, b"\x02\x01\x00" + algorithm + tlv(0x04, sec1))


def pem(label, der):
    lines = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"


@pytest.mark.parametrize("form", ["sec1", "pkcs8"])
def test_ec_key_without_its_public_half(yett, pki, echo, folder, port, form):
    ca, server, _ = pki
    tool("openssl", "ec", "-in", server.key, "-no_public", "-outform", "DER", "-out", folder / "key.der")
    der = (folder / "key.der").read_bytes()
    key = pem("EC PRIVATE KEY", der) if form == "sec1" else pem("PRIVATE KEY", pkcs8_of(der))
    path = folder / "server.pem"
    path.touch(mode=0o600)
    path.write_text(key + server.chain.read_text())  # the key first
    yett(terminating(port, f"127.0.0.1:{echo.port}", path))  # and the path alone
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert exchange(port, client_tls(ca, version=version))[0] == b"hello"
    tool(YETT, "cert", "import", "--database", f"sql:{folder}/nss", path)  # the database takes it as well
    assert json.loads(tool(YETT, "cert", "list", "--json", "--database", f"sql:{folder}/nss").stdout)[0]["has_key"]
    other = ca.server("elsewhere")
    path.write_text(key + other.chain.read_text())
    status, said = check(folder / "y", terminating(PORT, "127.0.0.1:2", path))
    assert status == 1 and "do not belong together" in said, said


def self_signed(folder, *algorithm):
    path = folder / "self.pem"
    path.touch(mode=0o600)
    tool("openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-keyout", folder / "k", "-out", folder / "c",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
         "basicConstraints=critical,CA:FALSE")
    path.write_text((folder / "c").read_text() + (folder / "k").read_text())
    return path


@pytest.mark.parametrize("algorithm", ["Ed25519", "Ed448"])
def test_keys_that_tls_cannot_use_are_told_by_name(folder, algorithm):
    path = self_signed(folder, algorithm)
    status, said = check(folder, terminating(PORT, "127.0.0.1:2", f"file:{path}"))
    assert status == 1 and f"is for {algorithm}, with which NSS does no TLS: it must be RSA, or on P-256" in said, said


def test_key_for_rsa_pss_alone(yett, echo, folder, port):
    path = self_signed(folder, "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{path}"))
    context = ssl.create_default_context(cafile=folder / "c")
    assert exchange(port, context)[0] == b"hello"


MODES = [("identity", 0o644, "everybody may read it"), ("identity", 0o660, "others may write to it"),
         ("trust", 0o666, "everybody may write to it"), ("crl", 0o666, "everybody may write to it"),
         ("identity", 0o640, None), ("trust", 0o644, None)]


@pytest.mark.parametrize("kind,mode,words", MODES)
def test_files_that_others_may_change_are_refused(pki, folder, kind, mode, words):
    path = folder / "file.pem"
    text, _, configuration = kinds(pki, kind, folder)
    path.write_bytes(text)
    path.chmod(mode)
    status, said = check(folder, configuration.replace("FILE", str(path)))
    if words is None:
        assert status == 0, said
    else:
        assert status == 1 and words in said and f"mode {mode:04o}, belongs to " in said and str(path) in said, said


def test_configuration_that_everybody_may_write_is_refused(folder):
    one = Yett(folder, f"[service s]\nlisten = 127.0.0.1:{PORT}\nconnect = 127.0.0.1:2\nconnect_tls = none\n")
    one.config.chmod(0o666)
    for command in ("check", "run"):
        result = subprocess.run([str(YETT), command, "-c", str(one.config)], capture_output=True, text=True,
                                timeout=60 * PATIENCE, stdin=subprocess.DEVNULL)
        assert not sanitizer_lines(result.stderr), result.stderr
        assert result.returncode == 1 and f"{one.config}" in result.stdout + result.stderr, result
        assert "everybody may write to it (mode 0666" in result.stdout + result.stderr, result
    one.config.chmod(0o644)
    included = folder / "conf.d"
    included.mkdir()
    (included / "a.conf").write_text("")
    included.chmod(0o777)
    status, said = one.command("check", check=False).returncode, one.command("check", check=False).stdout
    assert status == 1 and f"{included}/: everybody may write to it (mode 0777" in said, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as another user")
def test_what_another_user_may_not_open_is_told_with_its_owner(pki, folder):
    """The files are root's, and yett is nobody: whose they are, their mode, and who we are."""
    _, server, _ = pki
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "server.pem").write_bytes(server.pem.read_bytes())
    plain = folder / "server.pem"
    plain.write_bytes(server.pem.read_bytes())
    plain.chmod(0o600)
    for path, words in ((plain, "it belongs to root:root (mode 0600), and this process runs as nobody"),
                        (closed / "server.pem", f"the folder {closed} belongs to root:root (mode 0700), and this "
                                                "process runs as nobody")):
        one = Yett(folder / "y", terminating(PORT, "127.0.0.1:2", f"file:{path}"))
        (folder / "y").chmod(0o755)
        one.config.chmod(0o644)
        result = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(YETT), "check",
                                 "-c", str(one.config)], capture_output=True, text=True, timeout=60 * PATIENCE)
        assert result.returncode == 1 and "Permission denied: " + words in result.stdout, result
