"""Revoked certificates: stapled OCSP responses, responders that answer or do not, and CRLs."""
import contextlib
import json
import ssl

import pytest
from authority import Authority
from conftest import PATIENCE, connect
from peers import EchoServer, HttpServer, OpensslServer, Process, client_tls, free_port, server_tls, tool, wait_until
from revocation import crl, ocsp_response, requested_serial, serial_of
from test_tls import exchange_or_end, originating, terminating

# With soft, in tests of a responder that hangs; long enough that one that answers is never late.
TIMEOUT_MS = int(1500 * PATIENCE)


class Responder(HttpServer):
    """An OCSP responder. status: by serial number; or what all get: "hang", "garbage", "busy" (503)."""

    def __init__(self):
        super().__init__()
        self.statuses, self.answer = {}, None
        self.extension = f"authorityInfoAccess=OCSP;URI:http://{self.host}/ocsp\n"

    def about(self, authority, certificate, status, **options):
        self.statuses[serial_of(certificate)] = (authority, certificate, status, options)

    def on_post(self, request, body):
        serial = requested_serial(body)
        assert request.headers["Content-Type"] == "application/ocsp-request"
        self.requests.append(serial)
        if self.answer == "busy":
            request.send_error(503)
            return
        if self.answer is None:
            authority, certificate, status, options = self.statuses[serial]
            body = ocsp_response(authority, certificate, status, **options)
        else:
            body = {"hang": "hang", "garbage": b"garbage"}[self.answer]
        request.send(body, "application/ocsp-response")


@pytest.fixture
def responder():
    with Responder() as one:
        yield one


@pytest.fixture
def ca(folder):
    return Authority(folder / "ca")


class Backend(EchoServer):
    """A TLS echo server that keeps what its handshakes came to."""

    def __init__(self, certificate, **options):
        super().__init__(tls=server_tls(certificate, **options))
        self.failures = []

    def serve(self, connection):
        try:
            connection = self.tls.wrap_socket(connection, server_side=True)
            while data := connection.recv(65536):
                connection.sendall(data)
        except ssl.SSLError as e:
            self.failures.append(e.reason)
        except OSError:
            pass
        connection.close()


def passes(port, data=b"hello"):
    """Whether data comes back through the tunnel."""
    with contextlib.suppress(ConnectionResetError), connect(port, timeout=60) as s:
        s.sendall(data)
        return s.recv(100) == data
    return False


ONE_WORKER = {"settings": "workers = 1\n"}


@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("answer", ["good", "revoked", "unknown", "old", "forged", "try_later", "garbage", "busy"])
def test_responder_is_asked_about_a_server(yett, ca, responder, folder, port, mode, answer):
    certificate = ca.server("localhost", extensions=responder.extension)
    status = answer if answer in ("good", "revoked", "unknown", "try_later") else "good"
    options = {"old": {"days": (-9, -3)}, "forged": {"signer": Authority(folder / "o", "Other")}}.get(answer, {})
    responder.about(ca, certificate, status, **options)
    if answer in ("garbage", "busy"):
        responder.answer = answer
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, f"revocation = {mode}\n"), **ONE_WORKER)
        good = answer == "good" or (mode == "soft" and answer not in ("revoked", "unknown"))
        for _ in range(3):
            assert passes(port) == good
        assert responder.requests == [serial_of(certificate)]  # the answer, and the failure, are remembered
        if not good:
            running.wait_for_log({"revoked": '"revoked"', "unknown": "ocsp_unknown_cert"}
                                 .get(answer, "revocation_unknown"))
            wait_until(lambda: len(backend.failures) == 3, "the alerts")
            if answer == "revoked":
                assert set(backend.failures) == {"SSLV3_ALERT_CERTIFICATE_REVOKED"}
            else:
                assert set(backend.failures) == {"SSLV3_ALERT_CERTIFICATE_UNKNOWN"}


def test_nothing_is_asked_with_revocation_off_or_without_fetching(yett, ca, responder, port):
    certificate = ca.server("localhost", extensions=responder.extension)
    responder.about(ca, certificate, "revoked")
    others = [free_port(), free_port()]
    with Backend(certificate) as backend:
        target = f"localhost:{backend.port}"
        yett(originating(port, target, ca.cert, "revocation = off\n")
             + originating(others[0], target, ca.cert, "ocsp_fetch = no\n").replace("[service out]", "[service b]")
             + originating(others[1], target, ca.cert, "ocsp_fetch = no\nrevocation = hard\n")
             .replace("[service out]", "[service c]"))
        assert passes(port) and passes(others[0]) and not passes(others[1])
        assert responder.requests == []


def test_private_responder_is_not_asked_where_mozilla_is_trusted(yett, ca, responder, port):
    certificate = ca.server("localhost", extensions=responder.extension)
    responder.about(ca, certificate, "revoked")
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert).replace("trust = ", "trust = mozilla, "))
        assert passes(port)
        running.wait_for_log("ocsp_fetch_failed")
        assert responder.requests == []


def test_chain_that_does_not_verify_causes_no_request(yett, ca, responder, folder, port):
    certificate = Authority(folder / "other").server("localhost", extensions=responder.extension)  # of the same name
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, "revocation = hard\n"))
        assert not passes(port)
        running.wait_for_log("bad_signature")
        assert responder.requests == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_hanging_responder_costs_soft_one_timeout(yett, ca, responder, port, name):
    certificates = [ca.server("localhost", extensions=responder.extension.replace("127.0.0.1", name))]
    certificates.append(ca.issue("second", sans=("DNS:localhost",),
                                 extensions=responder.extension.replace("127.0.0.1", name)))
    responder.answer = "hang"
    other = free_port()
    with Backend(certificates[0]) as one, Backend(certificates[1]) as two:
        running = yett(originating(port, f"localhost:{one.port}", ca.cert, f"ocsp_timeout = {TIMEOUT_MS}ms\n")
                       + originating(other, f"localhost:{two.port}", ca.cert, f"ocsp_timeout = {TIMEOUT_MS}ms\n")
                       .replace("[service out]", "[service two]"), **ONE_WORKER)
        assert all(passes(p) for p in (port, port, other, other, port))
        assert len(responder.requests) == 1
        assert len(running.log_lines("ocsp_fetch_failed")) == 1


def test_hanging_responder_makes_hard_refuse_with_one_clear_line(yett, ca, responder, port):
    certificate = ca.server("localhost", extensions=responder.extension)
    responder.answer = "hang"
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert,
                                   f"revocation = hard\nocsp_timeout = {TIMEOUT_MS}ms\n"), **ONE_WORKER)
        assert not passes(port)
        running.wait_for_log("revocation_unknown")
        lines = running.log_lines("target_tls_failed")
        assert len(lines) == 1 and "its OCSP responder did not answer in time" in lines[0]["reason"], lines
        assert not passes(port)
        assert len(responder.requests) == 1
        wait_until(lambda: len(backend.failures) == 2, "the alerts")
        assert set(backend.failures) == {"SSLV3_ALERT_CERTIFICATE_UNKNOWN"}


def test_hanging_responder_does_not_hold_up_those_who_do_not_need_it(yett, ca, responder, port):
    """A connection that waits for a responder, and another service of the same worker meanwhile."""
    certificate = ca.server("localhost", extensions=responder.extension)
    plain = ca.server("plain", sans=("DNS:localhost",))
    responder.answer = "hang"
    other = free_port()
    with Backend(certificate) as slow, Backend(plain) as quick:
        yett(originating(port, f"localhost:{slow.port}", ca.cert, "revocation = hard\nocsp_timeout = 60s\n"
                         "handshake_timeout = 60s\n")
             + originating(other, f"localhost:{quick.port}", ca.cert).replace("[service out]", "[service quick]"),
             **ONE_WORKER)
        with connect(port) as waiting:
            waiting.sendall(b"hello")
            wait_until(lambda: responder.requests, "the request")
            assert passes(other)
            responder.stopping.set()  # the connection ends without an answer
            with contextlib.suppress(ConnectionResetError):
                assert waiting.recv(100) == b""


def test_hard_needs_a_statement_for_intermediates_too(yett, folder, responder, port):
    root = Authority(folder / "root", "Root")
    sub = Authority(folder / "sub", "Sub", issuer=root, extensions=responder.extension)
    certificate = sub.server("localhost", extensions=responder.extension)
    responder.about(sub, certificate, "good")
    responder.about(root, sub, "good")
    other = free_port()
    with Backend(certificate) as backend:
        hard = originating(port, f"localhost:{backend.port}", root.cert, "revocation = hard\n")
        soft = originating(other, f"localhost:{backend.port}", root.cert).replace("[service out]", "[service soft]")
        running = yett(hard + soft, **ONE_WORKER)
        assert passes(other)
        assert responder.requests == [serial_of(certificate)]
        assert passes(port)
        assert responder.requests == [serial_of(certificate), serial_of(sub)]
        responder.about(root, sub, "revoked")
        running.command("reload")
        assert not passes(port)
        running.wait_for_log("revoked")


class OpensslOcsp(Process):
    """openssl ocsp as a responder. revoked: serial numbers."""
    name = "openssl-ocsp"

    def __init__(self, folder, authority, good=(), revoked=()):
        super().__init__(folder)
        self.authority = authority
        lines = [f"V\t391231235959Z\t\t{s:X}\tunknown\t/CN=x\n" for s in good]
        lines += [f"R\t391231235959Z\t240101000000Z\t{s:X}\tunknown\t/CN=x\n" for s in revoked]
        (self.folder / "index").write_text("".join(lines))

    def ready(self):
        return "waiting for OCSP client" in self.log()  # a mere connect would keep it busy for ever

    def command(self):
        return ["openssl", "ocsp", "-port", str(self.port), "-index", str(self.folder / "index"), "-rsigner",
                str(self.authority.cert), "-rkey", str(self.authority.key), "-CA", str(self.authority.cert),
                "-ndays", "2"]


def test_openssl_as_a_responder(yett, ca, folder, port):
    """Its address is in the certificates, and their numbers in its index."""
    other = free_port()
    ocsp = OpensslOcsp(folder / "ocsp", ca, good=[ca.count + 1000 + 1], revoked=[ca.count + 1000 + 2])
    extension = f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{ocsp.port}\n"
    good, revoked = ca.server("localhost", extensions=extension), \
        ca.issue("second", sans=("DNS:localhost",), extensions=extension)
    assert [serial_of(good), serial_of(revoked)] == [ca.count + 999, ca.count + 1000]
    with ocsp, Backend(good) as one, Backend(revoked) as two:
        running = yett(originating(port, f"localhost:{one.port}", ca.cert, "revocation = hard\n")
                       + originating(other, f"localhost:{two.port}", ca.cert).replace("[service out]", "[service two]"))
        assert passes(port) and not passes(other)
        running.wait_for_log("says its OCSP responder")


# ---- staples ----

@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("case", ["good", "revoked", "missing", "old", "soft-revoked"])
def test_must_staple_and_staples(yett, ca, folder, port, version, case):
    """A server that has to staple is held to it; a staple that says revoked counts anyway."""
    certificate = ca.server("localhost", extensions="" if case == "soft-revoked" else "tlsfeature=status_request\n")
    staple = folder / "staple.der"
    staple.write_bytes(ocsp_response(ca, certificate, "revoked" if "revoked" in case else "good",
                                     days=(-9, -3) if case == "old" else (-1, 7)))
    args = [] if case == "missing" else ["-status_file", staple]
    with OpensslServer(folder / "server", certificate, version, *args) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert))
        with contextlib.suppress(ConnectionResetError), connect(port) as s:
            s.sendall(b"abc\n")
            assert s.recv(100) == (b"cba\n" if case == "good" else b"")
        if case != "good":
            running.wait_for_log('"revoked"' if "revoked" in case else "tls_feature_missing")


def test_fetching_is_no_excuse_for_a_server_that_must_staple(yett, ca, responder, port):
    certificate = ca.server("localhost", extensions="tlsfeature=status_request\n" + responder.extension)
    responder.about(ca, certificate, "good")
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert))
        assert not passes(port)
        running.wait_for_log("tls_feature_missing")


def test_good_staple_saves_asking(yett, ca, responder, folder, port):
    certificate = ca.server("localhost", extensions=responder.extension)
    responder.about(ca, certificate, "revoked")
    staple = folder / "staple.der"
    staple.write_bytes(ocsp_response(ca, certificate))
    with OpensslServer(folder / "server", certificate, "-status_file", staple) as backend:
        yett(originating(port, f"localhost:{backend.port}", ca.cert, "revocation = hard\n"))
        with connect(port) as s:
            s.sendall(b"abc\n")
            assert s.recv(100) == b"cba\n"
        assert responder.requests == []


# ---- CRLs ----

@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("case", ["good", "revoked", "without a number", "expired", "wrong signer", "der", "folder"])
def test_crl_files(yett, ca, folder, port, mode, case):
    certificate = ca.server("localhost")
    lists = folder / "lists"
    lists.mkdir()
    path = lists / "ca.crl"
    revoked = case in ("revoked", "without a number", "folder")
    path.write_bytes(crl(ca, [certificate] if revoked or case in ("expired", "wrong signer") else [],
                         number=None if case == "without a number" else 1,
                         days=(-9, -2) if case == "expired" else (-1, 7),
                         signer=Authority(folder / "o", "Other") if case == "wrong signer" else None,
                         encoding="DER" if case == "der" else "PEM"))
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert,
                                   f"revocation = {mode}\ncrl = file:{lists if case == 'folder' else path}\n"))
        good = case in ("good", "der") or (mode == "soft" and case in ("expired", "wrong signer"))
        assert passes(port) == good
        if not good:
            running.wait_for_log('"revoked"' if revoked else "revocation_unknown")
        if case in ("expired", "wrong signer"):  # also where the certificate passes
            running.wait_for_log({"expired": "the CRL has expired",
                                  "wrong signer": "its signature verifies with no key of its issuer"}[case])
            running.wait_for_log("verification_warning")


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_crl_signed_with_a_rolled_over_key(yett, folder, port, mode):
    """RFC 5280 section 6.3.3 (f): the authority's new certificate leads to the same root, and comes from the server."""
    root = Authority(folder / "root", "Root")
    old = Authority(folder / "old", "Issuing CA", issuer=root)
    root.count += 1  # another serial number
    new = Authority(folder / "new", "Issuing CA", issuer=root)
    certificate = old.server("localhost")
    (folder / "ca.crl").write_bytes(crl(old, [certificate], signer=new))
    (folder / "root.crl").write_bytes(crl(root))
    with open(certificate.chain, "ab") as chain:
        chain.write(new.cert.read_bytes())
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", root.cert,
                                   f"revocation = {mode}\ncrl = file:{folder}/ca.crl, file:{folder}/root.crl\n"))
        assert not passes(port)
        running.wait_for_log('"revoked"')


def test_reload_picks_up_a_new_crl(yett, ca, folder, port):
    certificate, path = ca.server("localhost"), folder / "ca.crl"
    path.write_bytes(crl(ca))
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, f"crl = {path}\n"))
        with connect(port) as before:
            before.sendall(b"one")
            assert before.recv(100) == b"one"
            path.write_bytes(crl(ca, [certificate], number=2))
            assert passes(port)  # not read yet
            running.command("reload")
            assert not passes(port)
            running.wait_for_log("says its CRL")
            before.sendall(b"two")  # what is established stays
            assert before.recv(100) == b"two"
        path.write_text("no list")
        assert running.command("reload", check=False).returncode != 0
        assert not passes(port)


def test_crl_must_be_readable_at_start(yett, ca, folder, port):
    from conftest import Yett
    for path in (folder / "nothing.crl", ca.cert):
        one = Yett(folder / "y", originating(port, "localhost:1", ca.cert, f"crl = file:{path}\n"))
        result = one.command("check", check=False)
        assert result.returncode != 0 and f"crl: {path}" in result.stdout + result.stderr, result


@pytest.mark.parametrize("how", ["crl", "ocsp"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_revoked_client_is_refused(yett, ca, responder, echo, folder, port, how, version):
    server = ca.server("localhost")
    alice, bob = (ca.client(n, extensions=responder.extension if how == "ocsp" else "") for n in ("alice", "bob"))
    responder.about(ca, alice, "good")
    responder.about(ca, bob, "revoked")
    path = folder / "ca.crl"
    path.write_bytes(crl(ca, [bob]))
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{server.pem}",
                               f"peer = require\npeer_trust = file:{ca.cert}\nallow = any\n"
                               + (f"crl = file:{path}\n" if how == "crl" else "revocation = hard\n")), **ONE_WORKER)
    for _ in range(2):
        exchange_or_end(port, client_tls(ca, cert=alice, version=version))
        with pytest.raises(ssl.SSLError, match="(?i)certificate.revoked"):
            exchange_or_end(port, client_tls(ca, cert=bob, version=version))
    running.wait_for_log('"revoked"')
    assert echo.connections == 2
    assert sorted(responder.requests) == (sorted(map(serial_of, (alice, bob))) if how == "ocsp" else [])


# ---- yett crl ----

def yett_crl(folder, *args, status=0):
    from conftest import YETT
    result = tool(YETT, "crl", args[0], "--directory", folder / "crls", *args[1:], check=False)
    assert result.returncode == status, f"{args}\n{result.stdout}\n{result.stderr}"
    return result.stdout if status == 0 else result.stderr


def test_crl_command_keeps_the_newest_list_of_each_issuer(ca, folder, monkeypatch):
    other = Authority(folder / "other", "Other")
    old, new, both, bad = (folder / f"{n}.crl" for n in ("old", "new", "both", "bad"))
    old.write_bytes(crl(ca, days=(-3, 5), encoding="DER"))
    new.write_bytes(crl(ca, [ca.server("localhost")], days=(-1, 7), number=2))
    both.write_bytes(crl(ca, days=(-9, -2)) + crl(other, days=(-9, -2)))
    bad.write_text("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")
    yett_crl(folder, "add", old)
    yett_crl(folder, "add", new)
    listed = json.loads(yett_crl(folder, "list", "--json"))
    assert [(x["issuer"], x["revoked"], x["state"], x["number"]) for x in listed] == \
        [("CN=Test CA", 1, "current", "02")]
    assert "newer" in yett_crl(folder, "add", old, status=1)
    assert "newer" in yett_crl(folder, "add", both, status=1)
    assert "crl_malformed" in yett_crl(folder, "add", bad, status=1)
    assert "it is a certificate, and the file is for CRLs" in yett_crl(folder, "add", ca.cert, status=1)
    both.write_bytes(crl(other, days=(-9, -2)))
    yett_crl(folder, "add", both)
    states = {x["issuer"]: (x["name"], x["state"]) for x in json.loads(yett_crl(folder, "list", "--json"))}
    assert {issuer: s for issuer, (_, s) in states.items()} == {"CN=Test CA": "current", "CN=Other": "expired"}
    name = states["CN=Other"][0]
    assert all(x in yett_crl(folder, "show", name) for x in ("CN=Other", "expired", "revoked:     0"))
    assert json.loads(yett_crl(folder, "show", "--json", new))["revoked"] == 1
    monkeypatch.chdir(folder)
    here = yett_crl(folder, "show", "new.crl")
    assert "CN=Test CA" in here and "revoked:     1" in here, here  # a file, where the folder has no such list
    assert len(yett_crl(folder, "list").splitlines()) == 2
    yett_crl(folder, "delete", name)
    yett_crl(folder, "delete", name, status=1)
    yett_crl(folder, "delete", "../new.crl", status=1)
    assert new.exists() and len(json.loads(yett_crl(folder, "list", "--json"))) == 1
    assert [p.name for p in (folder / "crls").iterdir()] == [states["CN=Test CA"][0]]
    for wrong in (("add",), ("list", "x"), ("add", "--json", "x"), ("show", "--wrong", "x"), ("burn",)):
        yett_crl(folder, *wrong, status=2)


def test_stored_crls_are_used(yett, ca, folder, port):
    certificate, path = ca.server("localhost"), folder / "ca.crl"
    path.write_bytes(crl(ca))
    yett_crl(folder, "add", path)
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, "crl = stored\nrevocation = hard\n"),
                       settings=f"crl_directory = {folder}/crls\n")
        assert passes(port)
        path.write_bytes(crl(ca, [certificate], number=2))
        yett_crl(folder, "add", path)
        running.command("reload")
        assert not passes(port)
        running.wait_for_log("says its CRL")
