"""CRLs fetched from the distribution points of certificates: in the background with soft, waited for with hard."""
import contextlib
import ssl

import pytest
from authority import Authority
from conftest import PATIENCE, connect
from peers import HttpServer, client_tls, free_port, wait_until
from revocation import crl, large_crl
from test_revocation import Backend, ONE_WORKER, Responder, passes
from test_tls import exchange_or_end, originating, terminating

# With hard, in tests of a server that hangs; long enough that one that answers is never late.
TIMEOUT_MS = int(3000 * PATIENCE)
LIMIT_CRL_BYTES_MAX = 16 * 1024 * 1024
SECONDS = 1 / 86400  # in days


class Lists(HttpServer):
    """A server of CRLs: DER by path."""

    def points(self, *paths, host="127.0.0.1"):
        """The extension of a certificate whose CRL is there."""
        return "crlDistributionPoints=" + ",".join(f"URI:http://{host}:{self.port}{p}" for p in paths) + "\n"


@pytest.fixture
def lists():
    with Lists() as one:
        yield one


@pytest.fixture
def ca(folder):
    return Authority(folder / "ca")


def der(authority, revoked=(), **options):
    return crl(authority, revoked, encoding="DER", **options)


SOFT = "crl_fetch = yes\n"
HARD = "revocation = hard\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_soft_takes_no_time_and_refuses_from_the_second_connection_on(yett, ca, lists, port, host):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl", host=host))
    lists.answers["/ca.crl"] = der(ca, [certificate], number=10)
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, SOFT), **ONE_WORKER)
        assert passes(port)
        running.wait_for_log("crl_fetched")
        for _ in range(2):
            assert not passes(port)
        running.wait_for_log("says its CRL")
        wait_until(lambda: len(backend.failures) == 2, "the alerts")
        assert set(backend.failures) == {"SSLV3_ALERT_CERTIFICATE_REVOKED"}
        assert lists.requests == ["/ca.crl"]
        line, = running.log_lines("crl_fetched")
        assert (line["issuer"], line["number"], line["entries"]) == ("CN=Test CA", "0x0a", 1)
        running.wait_for_counter("crl_fetches_total")
        assert running.counter("crl_fetch_failures_total") == 0


def test_hard_waits_and_one_list_is_for_all(yett, ca, lists, port):
    extension = lists.points("/ca.crl")
    good, revoked = ca.server("localhost", extensions=extension), \
        ca.issue("second", sans=("DNS:localhost",), extensions=extension)
    lists.answers["/ca.crl"] = der(ca, [revoked])
    other = free_port()
    with Backend(good) as one, Backend(revoked) as two:
        running = yett(originating(port, f"localhost:{one.port}", ca.cert, HARD)
                       + originating(other, f"localhost:{two.port}", ca.cert, HARD)
                       .replace("[service out]", "[service two]"), **ONE_WORKER)
        assert not passes(other) and passes(port) and passes(port)
        running.wait_for_log("says its CRL")
        assert lists.requests == ["/ca.crl"]


def test_nothing_is_fetched_unless_it_is_wanted(yett, ca, lists, port):
    """By default hard does and soft does not; nor with off; nor where it is switched off."""
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = der(ca)
    modes = {"": True, "revocation = off\n": True, HARD + "crl_fetch = no\n": False, HARD: True}
    ports = [port] + [free_port() for _ in range(len(modes) - 1)]
    with Backend(certificate) as backend:
        yett("".join(originating(p, f"localhost:{backend.port}", ca.cert, extra).replace("service out", f"service {p}")
                     for p, extra in zip(ports, modes)), **ONE_WORKER)
        for p, good in list(zip(ports, modes.values()))[:-1]:
            assert passes(p) == good
        assert lists.requests == []
        assert passes(ports[-1])
        assert lists.requests == ["/ca.crl"]


def test_private_server_is_not_asked_where_mozilla_is_trusted(yett, ca, lists, port):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = der(ca, [certificate])
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, SOFT)
                       .replace("trust = ", "trust = mozilla, "))
        assert passes(port)
        running.wait_for_log("crl_fetch_failed")
        assert lists.requests == []


def test_chain_that_does_not_verify_causes_no_request(yett, ca, lists, folder, port):
    certificate = Authority(folder / "other").server("localhost", extensions=lists.points("/ca.crl"))  # of the same name
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD))
        assert not passes(port)
        running.wait_for_log("bad_signature")
        assert lists.requests == []


def test_hanging_server_does_not_touch_soft(yett, ca, lists, port):
    """Connections pass while the request is on its way; and yett ends although it never comes back."""
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = "hang"
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, SOFT), **ONE_WORKER)
        assert passes(port)
        wait_until(lambda: lists.requests, "the request")
        assert passes(port) and passes(port)
        running.stop()
        assert lists.requests == ["/ca.crl"]
        assert not running.log_lines("crl_fetch_failed")


def test_hanging_server_makes_hard_refuse_with_one_clear_line(yett, ca, lists, port):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = "hang"
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert,
                                   HARD + f"crl_timeout = {TIMEOUT_MS}ms\n"), **ONE_WORKER)
        assert not passes(port)
        running.wait_for_log("revocation_unknown")
        lines = running.log_lines("target_tls_failed")
        assert len(lines) == 1 and "its CRL did not come in time" in lines[0]["reason"], lines
        running.wait_for_log("crl_fetch_failed")
        assert not passes(port)
        assert lists.requests == ["/ca.crl"]
        running.wait_for_counter("crl_fetch_failures_total")


def test_hanging_server_does_not_hold_up_those_who_do_not_need_it(yett, ca, lists, port):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    plain = ca.server("plain", sans=("DNS:localhost",))
    lists.answers["/ca.crl"] = "hang"
    other = free_port()
    with Backend(certificate) as slow, Backend(plain) as quick:
        running = yett(originating(port, f"localhost:{slow.port}", ca.cert, HARD + "crl_timeout = 60s\n"
                                   "handshake_timeout = 60s\n")
                       + originating(other, f"localhost:{quick.port}", ca.cert)
                       .replace("[service out]", "[service quick]"), **ONE_WORKER)
        with connect(port) as waiting:
            waiting.sendall(b"hello")
            wait_until(lambda: lists.requests, "the request")
            assert passes(other)
            lists.stopping.set()  # the connection ends without an answer
            with contextlib.suppress(ConnectionResetError):
                assert waiting.recv(100) == b""
        running.wait_for_log("crl_fetch_failed")


@pytest.mark.parametrize("first", ["missing", "hang", "nobody", "foreign"])
def test_second_distribution_point_counts_too(yett, ca, lists, folder, port, first):
    with Lists() as other:
        points = [f"URI:http://127.0.0.1:{free_port() if first == 'nobody' else other.port}/1.crl",
                  f"URI:http://127.0.0.1:{lists.port}/2.crl"]
        certificate = ca.server("localhost", extensions=f"crlDistributionPoints={','.join(points)}\n")
        other.answers["/1.crl"] = {"hang": "hang", "foreign": der(Authority(folder / "o", "Other"))}.get(first)
        lists.answers["/2.crl"] = der(ca, [certificate])
        with Backend(certificate) as backend:
            running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD + (
                f"crl_timeout = {2 * TIMEOUT_MS}ms\n" if first == "hang" else "")), **ONE_WORKER)
            assert not passes(port)
            running.wait_for_log("says its CRL")
            assert other.requests == ([] if first == "nobody" else ["/1.crl"])
            assert lists.requests == ["/2.crl"]


@pytest.mark.parametrize("what", ["foreign", "forged", "expired", "early", "garbage", "missing", "oversize", "pem"])
@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_list_that_cannot_be_believed_is_none(yett, ca, lists, folder, port, mode, what):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    other = Authority(folder / "o", "Other")
    lists.answers["/ca.crl"] = {
        "foreign": lambda: der(other, [certificate]),
        "forged": lambda: der(ca, [certificate], signer=other),
        "expired": lambda: der(ca, [certificate], days=(-9, -2)),
        "early": lambda: der(ca, [certificate], days=(1, 9)),
        "garbage": lambda: b"garbage",
        "missing": lambda: None,
        "oversize": lambda: der(ca, [certificate]) + bytes(LIMIT_CRL_BYTES_MAX),
        "pem": lambda: crl(ca, [certificate]),
    }[what]()
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, SOFT if mode == "soft" else HARD),
                       **ONE_WORKER)
        assert passes(port) == (mode == "soft")
        running.wait_for_log("crl_fetch_failed")
        assert passes(port) == (mode == "soft")
        assert lists.requests == ["/ca.crl"]  # the failure is remembered
        line, = running.log_lines("crl_fetch_failed")
        assert {"forged": "signature", "expired": "expired", "early": "future", "oversize": "too long", "missing": "404",
                "foreign": "not about it"}.get(what, "crl_malformed") in line["reason"], line
        if mode == "hard":
            running.wait_for_log("revocation_unknown")
        assert not running.log_lines("crl_fetched")


def test_list_is_kept_fresh_and_never_goes_back(yett, ca, lists, port):
    """Without a connection that asks for it, ahead of its end; and who brings an old list back is not believed."""
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = clean = der(ca, number=1, days=(-1, 14 * SECONDS))
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD), **ONE_WORKER)
        assert passes(port)
        lists.answers["/ca.crl"] = der(ca, [certificate], number=2, days=(-0.5, 14 * SECONDS))
        wait_until(lambda: len(running.log_lines("crl_fetched")) == 2, "the next list", 30 * PATIENCE)
        assert not passes(port)
        running.wait_for_log("says its CRL")
        lists.answers["/ca.crl"] = clean
        running.wait_for_log("older than the one that is known")
        assert [x["number"] for x in running.log_lines("crl_fetched")] == ["0x01", "0x02"]
        assert not passes(port)


def test_second_point_may_have_the_newer_list(yett, ca, lists, port):
    """When the first one has gone back behind what is known."""
    certificate = ca.server("localhost", extensions=lists.points("/1.crl", "/2.crl"))
    lists.answers["/1.crl"] = der(ca, number=5, days=(-1, 14 * SECONDS))
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD), **ONE_WORKER)
        assert passes(port)
        lists.answers["/1.crl"] = der(ca, number=4, days=(-2, 7))
        lists.answers["/2.crl"] = der(ca, [certificate], number=6)
        wait_until(lambda: len(running.log_lines("crl_fetched")) == 2, "the next list", 30 * PATIENCE)
        assert not passes(port)
        running.wait_for_log("older than the one that is known")
        assert lists.requests == ["/1.crl", "/1.crl", "/2.crl"]


def test_reload_fetches_again(yett, ca, lists, port):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = der(ca)
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD), **ONE_WORKER)
        assert passes(port)
        lists.answers["/ca.crl"] = der(ca, [certificate], number=2)
        running.command("reload")
        assert not passes(port)
        assert lists.requests == ["/ca.crl", "/ca.crl"]


@pytest.mark.parametrize("answer", ["good", "busy", "revoked"])
def test_responder_comes_before_a_list_that_is_not_there(yett, ca, lists, port, answer):
    with Responder() as responder:
        certificate = ca.server("localhost", extensions=responder.extension + lists.points("/ca.crl"))
        lists.answers["/ca.crl"] = der(ca, [certificate])
        responder.about(ca, certificate, answer)
        if answer == "busy":
            responder.answer = "busy"
        with Backend(certificate) as backend:
            running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD), **ONE_WORKER)
            assert passes(port) == (answer == "good")
            running.wait_for_log({"good": "ready", "busy": "says its CRL", "revoked": "says its OCSP responder"}[answer])
            assert lists.requests == (["/ca.crl"] if answer == "busy" else [])
            assert len(responder.requests) == 1


def test_hard_needs_lists_of_intermediates_too(yett, folder, lists, port):
    root = Authority(folder / "root", "Root")
    sub = Authority(folder / "sub", "Sub", issuer=root, extensions=lists.points("/root.crl"))
    certificate = sub.server("localhost", extensions=lists.points("/sub.crl"))
    lists.answers.update({"/root.crl": der(root), "/sub.crl": der(sub)})
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", root.cert, HARD), **ONE_WORKER)
        assert passes(port)
        assert sorted(lists.requests) == ["/root.crl", "/sub.crl"]
        lists.answers["/root.crl"] = der(root, [sub], number=2)
        running.command("reload")
        assert not passes(port)
        running.wait_for_log("says its CRL")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_revoked_client_is_refused(yett, ca, echo, lists, port, version, mode):
    server = ca.server("localhost")
    alice, bob = (ca.client(n, extensions=lists.points("/ca.crl")) for n in ("alice", "bob"))
    lists.answers["/ca.crl"] = der(ca, [bob])
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{server.pem}",
                               f"peer = require\npeer_trust = file:{ca.cert}\nallow = any\n"
                               + (SOFT if mode == "soft" else HARD)), **ONE_WORKER)
    if mode == "soft":
        exchange_or_end(port, client_tls(ca, cert=bob, version=version))
        running.wait_for_log("crl_fetched")
    for _ in range(2):
        exchange_or_end(port, client_tls(ca, cert=alice, version=version))
        with pytest.raises(ssl.SSLError, match="(?i)certificate.revoked"):
            exchange_or_end(port, client_tls(ca, cert=bob, version=version))
    running.wait_for_log('"revoked"')
    assert lists.requests == ["/ca.crl"]


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("key", ["ecdsa", "rsa"])
def test_list_of_a_third_of_a_million(yett, folder, lists, port, key, revoked):
    """11 MB, signed in either way."""
    ca = Authority(folder / "ca", key=key)
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = large_crl(ca, 333333, [certificate] if revoked else [])
    assert 10 << 20 < len(lists.answers["/ca.crl"]) < LIMIT_CRL_BYTES_MAX
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert,
                                   HARD + "crl_timeout = 60s\nhandshake_timeout = 120s\n"), **ONE_WORKER)
        assert passes(port) != revoked
        line, = running.log_lines("crl_fetched")
        assert line["entries"] == 333333 + revoked
        assert passes(port) != revoked
        assert lists.requests == ["/ca.crl"]


def test_session_is_resumed_only_while_the_list_does_not_say_revoked(yett, ca, lists, port):
    certificate = ca.server("localhost", extensions=lists.points("/ca.crl"))
    lists.answers["/ca.crl"] = der(ca, number=1, days=(-1, 14 * SECONDS))
    with Backend(certificate) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", ca.cert, HARD), **ONE_WORKER)
        assert passes(port) and passes(port)
        running.wait_for_counter("handshakes_client_resumed_total")  # the list at hand is enough
        lists.answers["/ca.crl"] = der(ca, [certificate], number=2)
        wait_until(lambda: len(running.log_lines("crl_fetched")) == 2, "the next list", 30 * PATIENCE)
        assert not passes(port)
        running.wait_for_log('"revoked"')
        assert running.counter("handshakes_client_resumed_total") == 1
