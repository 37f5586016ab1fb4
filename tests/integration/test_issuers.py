"""Peers that do not send their issuer, and where it is fetched from: an HTTP server that answers, or does not."""
import contextlib
import ssl

import pytest
from authority import Authority, openssl
from conftest import PATIENCE, connect
from peers import HttpServer, client_tls, free_port, wait_until
from test_revocation import Backend, passes
from test_tls import originating
from test_trust import ask, terminating, without_issuers

ONE_WORKER = {"settings": "workers = 1\n"}


class IssuerServer(HttpServer):
    """A server of authorities' certificates: DER by path."""

    def extension(self, path, host="127.0.0.1"):
        return f"authorityInfoAccess=caIssuers;URI:http://{host}:{self.port}{path}\n"


@pytest.fixture
def issuers():
    with IssuerServer() as server:
        yield server


@pytest.fixture
def root(folder):
    return Authority(folder / "root", "Root")


def der(authority):
    return openssl("x509", "-in", authority.cert, "-outform", "DER")


class Inner:
    """An intermediate at /ca, and a server that does not send it."""

    def __init__(self, folder, root, issuers, host="127.0.0.1"):
        self.ca = Authority(folder / "inner", "Inner CA", issuer=root)
        issuers.answers["/ca"] = der(self.ca)
        self.server = without_issuers(self.ca.server("localhost", extensions=issuers.extension("/ca", host)))


@pytest.mark.parametrize("form", ["der", "p7c", "pem"])
def test_issuer_is_fetched_only_where_that_is_allowed(yett, folder, root, issuers, port, form):
    inner = Inner(folder, root, issuers)
    other = Authority(folder / "another", "Another CA", issuer=root)
    if form == "pem":
        issuers.answers["/ca"] = inner.ca.cert.read_bytes()
    if form == "p7c":
        issuers.answers["/ca"] = openssl("crl2pkcs7", "-nocrl", "-certfile", other.cert, "-certfile", inner.ca.cert,
                                         "-outform", "DER")
    without = free_port()
    with Backend(inner.server) as backend:
        refusing = yett(originating(without, f"localhost:{backend.port}", root.cert))
        assert not passes(without)
        refusing.wait_for_log("unknown_issuer")
        assert issuers.requests == []
        running = yett(originating(port, f"localhost:{backend.port}", root.cert, f"issuer_fetch = {issuers.host}\n"),
                       **ONE_WORKER)
        assert passes(port)
        line, = running.log_lines("issuer_fetched")
        assert line["url"] == f"http://{issuers.host}/ca"
        assert passes(port)
        assert issuers.requests == ["/ca"]


def test_fetched_issuer_is_remembered(yett, folder, root, issuers, port):
    """By all workers, when the server is gone, and after a restart."""
    inner = Inner(folder, root, issuers)
    settings = f"workers = 2\nintermediates = {folder}/i.pem\n"
    with Backend(inner.server) as backend:
        services = originating(port, f"localhost:{backend.port}", root.cert, f"issuer_fetch = {issuers.host}\n")
        first = yett(services, settings=settings)
        assert passes(port)
        wait_until(lambda: first.status()["intermediates"] == 1, "the news")
        issuers.stop()
        wait_until(lambda: all(passes(port) for _ in range(8)), "both workers to know", 20 * PATIENCE)
        first.stop()
        second = yett(services, settings=settings)
        assert all(passes(port) for _ in range(8))
        assert second.log_lines("issuer_fetch_failed") == []
        second.stop()
        third = yett(services.replace("issuer_fetch", ";issuer_fetch"), settings=settings)
        assert passes(port)
        assert third.status()["intermediates"] == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("allowed", ["*:{port}", "*.example.org:{port}, localhost:1", "127.0.0.1, localhost"])
def test_nobody_else_is_asked(yett, folder, root, issuers, port, allowed, name):
    """A private address with a wildcard; another host; another port."""
    inner = Inner(folder, root, issuers, name)
    allowed = allowed.format(port=issuers.port)
    with Backend(inner.server) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", root.cert, f"issuer_fetch = {allowed}\n"))
        assert not passes(port)
        running.wait_for_log("target_tls_failed")
        line, = running.log_lines("target_tls_failed")
        assert line["error"] == "unknown_issuer"
        assert ("an address that is not public" if "*:" in allowed else "is not among those of issuer_fetch") \
            in line["reason"], line
        assert issuers.requests == []


def test_host_by_name(yett, folder, root, issuers, port):
    inner = Inner(folder, root, issuers, "localhost")
    with Backend(inner.server) as backend:
        yett(originating(port, f"localhost:{backend.port}", root.cert, f"issuer_fetch = localhost:{issuers.port}\n"))
        assert passes(port)


def test_client_that_does_not_send_its_issuer(yett, authority, folder, echo, root, issuers, port):
    inner = Inner(folder, root, issuers)
    carol = without_issuers(inner.ca.client("carol", extensions=issuers.extension("/ca")))
    dave = without_issuers(inner.ca.client("dave"))  # names no address, and needs none any more
    mallory = without_issuers(Authority(folder / "m", "Inner CA").client("mallory", extensions=issuers.extension("/ca")))
    running = yett(terminating(port, echo.port, authority.localhost, [root.cert], f"issuer_fetch = {issuers.host}\n"),
                   **ONE_WORKER)
    assert not ask(port, client_tls(authority, cert=mallory))  # its issuer has the name, and another key
    running.wait_for_log("bad_signature")
    assert ask(port, client_tls(authority, cert=carol)) == b"hello"
    assert ask(port, client_tls(authority, cert=dave)) == b"hello"
    assert issuers.requests == ["/ca"]


@pytest.mark.parametrize("body", [b"garbage", b"", b"\x30\x03\x02\x01\x01", b"0" * 100000, None])
def test_garbage_is_refused_and_asked_for_once(yett, folder, root, issuers, port, body):
    inner = Inner(folder, root, issuers)
    issuers.answers["/ca"] = body
    with Backend(inner.server) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", root.cert, f"issuer_fetch = {issuers.host}\n"),
                       **ONE_WORKER)
        for _ in range(3):
            assert not passes(port)
        running.wait_for_log("unknown_issuer")
        assert issuers.requests == ["/ca"]
        assert all(f"http://{issuers.host}/ca" in x["reason"] for x in running.log_lines("target_tls_failed"))


def test_circles_and_endless_chains_end(yett, folder, root, issuers, port):
    """Authorities that certify each other, and one whose issuer is always one more away."""
    a = Authority(folder / "a", "A", extensions=issuers.extension("/b"))
    b = Authority(folder / "b", "B", issuer=a, extensions=issuers.extension("/a"))
    again = folder / "a-by-b.pem"
    openssl("req", "-new", "-key", a.key, "-subj", "/CN=A", "-out", folder / "a.csr")
    extensions = folder / "a.ext"
    extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n" + issuers.extension("/b"))
    openssl("x509", "-req", "-in", folder / "a.csr", "-CA", b.cert, "-CAkey", b.key, "-set_serial", "7", "-days", "9",
            "-extfile", extensions, "-out", again)
    issuers.answers["/a"] = openssl("x509", "-in", again, "-outform", "DER")
    issuers.answers["/b"] = der(b)
    circle = without_issuers(a.server("localhost", extensions=issuers.extension("/a")))
    chain = [root]
    for i in range(6):
        chain.append(Authority(folder / f"c{i}", f"C{i}", issuer=chain[-1],
                               extensions=issuers.extension(f"/c{i - 1}") if i else ""))
        issuers.answers[f"/c{i}"] = der(chain[-1])
    endless = without_issuers(chain[-1].server("localhost", extensions=issuers.extension("/c5")))
    other = free_port()
    with Backend(circle) as one, Backend(endless) as two:
        running = yett(originating(port, f"localhost:{one.port}", root.cert, f"issuer_fetch = {issuers.host}\n")
                       + originating(other, f"localhost:{two.port}", root.cert, f"issuer_fetch = {issuers.host}\n")
                       .replace("[service out]", "[service two]"), **ONE_WORKER)
        assert not passes(port)
        assert sorted(issuers.requests) == ["/a", "/b"]
        issuers.requests.clear()
        assert not passes(other)
        assert issuers.requests == ["/c5", "/c4", "/c3"]
        assert len(running.log_lines("target_tls_failed", error="unknown_issuer")) == 2


def test_hanging_host_holds_up_nobody_else(yett, authority, echo, folder, root, issuers, port):
    """Many clients wait for an issuer that does not come; another of the same service, and of another, go on meanwhile.
    Some of the many have waited; the others are told at once that too many do, so that threads are left."""
    inner = Inner(folder, root, issuers)
    issuers.answers["/ca"] = "hang"
    other = free_port()
    carol = without_issuers(inner.ca.client("carol", extensions=issuers.extension("/ca")))
    good = client_tls(authority, cert=root.client("good"))
    service = terminating(port, echo.port, authority.localhost, [root.cert], f"issuer_fetch = {issuers.host}\n")
    running = yett(service + service.replace("[service in]", "[service other]").replace(str(port), str(other)),
                   **ONE_WORKER)
    context = client_tls(authority, cert=carol)
    # In TLS 1.3 a client is done before the server has judged it.
    waiting = [context.wrap_socket(connect(port, timeout=60), server_hostname="localhost") for _ in range(24)]
    wait_until(lambda: issuers.requests, "the request")
    assert ask(port, good) == b"hello"
    assert ask(other, good) == b"hello"
    for s in waiting:
        with s, contextlib.suppress(ssl.SSLError, ConnectionError):
            assert s.recv(100) == b""
    running.wait_for_counter("verifications_failed_total", len(waiting))
    reasons = [x["reason"] for x in running.log_lines("client_tls_failed")]
    assert any("it did not come in time" in x for x in reasons), reasons
    assert not ask(port, context)  # by now it is known that the host does not answer
    assert issuers.requests == ["/ca"]
    assert len(running.log_lines("issuer_fetch_failed")) == 1
    assert ask(port, good) == b"hello"
