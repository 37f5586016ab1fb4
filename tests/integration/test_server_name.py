"""Services that share an address: the client's server name chooses, at once and after STARTTLS, and what is one service's is never
another's: certificates, rules, targets, limits, sessions."""
import contextlib
import smtplib
import socket
import ssl
import subprocess

import pytest
from bad_peers import read_to_end
from conftest import PATIENCE, YETT, connect
from peers import ScriptedServer, client_tls, wait_until


def naming(name):
    """A server that says who it is, and then what is said to it."""
    def script(connection):
        connection.sendall(name.encode())
        with contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(data)
    return ScriptedServer(script)


def section(name, port, certificate, target, extra="", protocol="tcp", listen_tls="implicit"):
    return (f"[service {name}]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = {listen_tls}\n"
            f"identity = file:{certificate.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


@pytest.fixture
def three(authority):
    """Certificates for a.test, everything below b.test, and the rest."""
    return authority.server("a.test"), authority.server("x.b.test", sans=("DNS:*.b.test",)), authority.localhost


@pytest.fixture
def targets():
    with naming("a") as a, naming("b") as b, naming("rest") as rest:
        yield a, b, rest


def configuration(port, three, targets, a="", b="", rest="", **options):
    return (section("a", port, three[0], targets[0].port, "server_name = a.test\n" + a, **options)
            + section("b", port, three[1], targets[1].port, "server_name = *.b.test, b.example\n" + b, **options)
            + section("rest", port, three[2], targets[2].port, rest, **options))


def context(authority, **options):
    c = client_tls(authority, **options)
    c.check_hostname = False
    return c


def name_of(tls):
    return dict(x[0] for x in tls.getpeercert()["subject"])["commonName"]


def ask(port, authority, name, **options):
    """Who answers, with which certificate."""
    with context(authority, **options).wrap_socket(connect(port), server_hostname=name) as tls:
        answer = tls.recv(100).decode()
        certificate = name_of(tls)
        tls.unwrap().close()
    return answer, certificate


WAYS = {"a.test": ("a", "a.test"), "A.TEST": ("a", "a.test"), "x.b.test": ("b", "x.b.test"), "y.b.test": ("b", "x.b.test"),
        "b.example": ("b", "x.b.test"), "localhost": ("rest", "localhost"), "b.test": ("rest", "localhost"),
        "nobody.test": ("rest", "localhost"), None: ("rest", "localhost")}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_chooses(yett, authority, port, three, targets, version):
    running = yett(configuration(port, three, targets))
    for name, way in WAYS.items():
        assert ask(port, authority, name, version=version) == way, name
    lines = wait_until(lambda: len(running.log_lines("session_ended")) == len(WAYS) and running.log_lines("session_ended"),
                       "a line for each", 20 * PATIENCE)
    assert sorted(x["service"] for x in lines) == sorted(way[0] for way in WAYS.values())
    for service in ("a", "b", "rest"):  # what is counted is the service's own
        wait_until(lambda: running.counter("connections_total", service) ==
                   len([w for w in WAYS.values() if w[0] == service]), f"the connections of {service}", 20 * PATIENCE)
        wait_until(lambda: running.counter("connections_open", service) == 0, f"{service} to be empty", 20 * PATIENCE)


def test_after_starttls(yett, authority, port, three):
    def mail(name):
        def script(connection):
            connection.sendall(f"220 {name}\r\n".encode())
            while connection.recv(4096):
                connection.sendall(f"250 {name}\r\n".encode())
        return ScriptedServer(script)

    with mail("a") as a, mail("b") as b, mail("rest") as rest:
        extra = "insecure_smtp_loopback_relay = yes\ngreeting_name = mx.test\n"
        running = yett(configuration(port, three, (a, b, rest), extra, extra, extra, protocol="smtp", listen_tls="starttls"))
        for name, (target, certificate) in WAYS.items():
            with smtplib.SMTP() as client:
                assert client.connect("127.0.0.1", port)[0] == 220
                client.ehlo()
                client._host = name
                client.starttls(context=context(authority))
                assert name_of(client.sock) == certificate, name
                assert client.ehlo()[1].decode() == target, name
                client.sock.unwrap()
                client.sock.close()
                client.sock = client.file = None
        lines = wait_until(lambda: len(running.log_lines("session_ended")) == len(WAYS) and running.log_lines("session_ended"),
                           "a line for each", 20 * PATIENCE)
    assert sorted(x["service"] for x in lines) == sorted(way[0] for way in WAYS.values())


@pytest.mark.parametrize("name", ["nobody.test", None])
def test_nobodys_name(yett, authority, port, three, targets, name):
    """Without a service for the rest: unrecognized_name, and the line says what was asked for."""
    running = yett(configuration(port, three, targets).split("[service rest]")[0])
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        ask(port, authority, name)
    line = wait_until(lambda: running.log_lines("client_tls_failed"), "its line", 20 * PATIENCE)[0]
    assert line["end"] == "name_unknown" and (name or "no server name") in line["reason"], line
    assert ask(port, authority, "a.test") == ("a", "a.test")


def test_one_service_with_a_name(yett, authority, port, three, targets):
    """One that has its address alone takes its names and no others."""
    yett(section("a", port, three[0], targets[0].port, "server_name = a.test\n"))
    assert ask(port, authority, "a.test") == ("a", "a.test")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        ask(port, authority, "b.test")


def test_the_rest_is_by_sni(yett, authority, port, three, targets):
    yett(configuration(port, three, targets, rest="sni = known\n"))
    assert ask(port, authority, "localhost") == ("rest", "localhost")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        ask(port, authority, "nobody.test")


def test_rules_are_the_services(yett, authority, port, three, targets):
    """Who needs a certificate for one service needs none for another, and cannot get in by another's name."""
    running = yett(configuration(port, three, targets, a=f"peer = require\npeer_trust = file:{authority.cert}\nallow = cn:alice\n",
                                 b="allow_client = 192.0.2.0/24\n"))
    assert ask(port, authority, "a.test", cert=authority.alice)[0] == "a"
    assert ask(port, authority, "localhost")[0] == "rest"
    for options in ({}, {"cert": authority.bob}):
        with contextlib.suppress(OSError):  # which end it is depends on the version of TLS
            assert ask(port, authority, "a.test", **options)[0] == ""
    with pytest.raises(OSError):
        ask(port, authority, "x.b.test")
    wait_until(lambda: running.log_lines("access_denied", service="b") and running.log_lines("access_denied", service="a"),
               "two lines", 20 * PATIENCE)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("began, then", [("a.test", "x.b.test"), ("localhost", "a.test"), (None, "x.b.test"), ("a.test", None)])
def test_a_session_stays_where_it_began(yett, authority, port, three, targets, version, began, then):
    """The session is offered with another name, and not taken: a full handshake, with that name's certificate. With its own it is
    (CVE-2025-23419)."""
    running = yett(configuration(port, three, targets), settings="workers = 1\n")
    c = context(authority, version=version)

    def shake(name, session=None):
        with c.wrap_socket(connect(port), server_hostname=name, session=session) as tls:
            answer = tls.recv(100).decode()
            result = answer, tls.session_reused, tls.session
            tls.unwrap().close()
        return result

    who, reused, session = shake(began)
    assert who == WAYS[began][0] and not reused
    who, reused, _ = shake(then, session)
    assert who == WAYS[then][0] and not reused
    assert shake(began, session)[:2] == (WAYS[began][0], True)
    assert running.counter("handshakes_server_resumed_total", WAYS[began][0]) in (0, 1)
    running.wait_for_counter("handshakes_server_resumed_total", 1, WAYS[began][0])


def test_a_full_service_keeps_nobody_from_another(yett, authority, port, three, targets):
    running = yett(configuration(port, three, targets, a="connections_max = 1\n", b="connections_per_address_max = 1\n"),
                   settings="workers = 1\n")
    with contextlib.ExitStack() as stack:
        for name in ("a.test", "x.b.test"):
            tls = stack.enter_context(context(authority).wrap_socket(connect(port), server_hostname=name))
            assert tls.recv(100)
            with pytest.raises(OSError):
                ask(port, authority, name)
        assert ask(port, authority, "localhost")[0] == "rest"
        lines = wait_until(lambda: len(running.log_lines("connection_refused")) == 2 and running.log_lines("connection_refused"),
                           "two lines", 20 * PATIENCE)
        assert {(x["service"], x["end"]) for x in lines} == {("a", "too_many"), ("b", "too_many")}
    wait_until(lambda: running.counter("connections_open") == 0, "all to end", 20 * PATIENCE)
    assert ask(port, authority, "a.test")[0] == "a" and ask(port, authority, "x.b.test")[0] == "b"


def hello_of(authority, name):
    out = ssl.MemoryBIO()
    tls = context(authority).wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_hello_in_pieces(yett, authority, port, three, targets, size):
    """In segments, and in records, of any size."""
    yett(configuration(port, three, targets))
    hello = hello_of(authority, "x.b.test")
    message = hello[5:]
    records = b"".join(hello[:3] + len(message[i:i + 200]).to_bytes(2, "big") + message[i:i + 200]
                       for i in range(0, len(message), 200))
    with connect(port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(records), size):
            s.sendall(records[i:i + size])
        assert s.recv(1) == b"\x16"  # a ServerHello


@pytest.mark.parametrize("said, event, reason", [
    (b"EHLO a\r\n", "client_tls_failed", "plain SMTP"),
    (b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + b"x" * 20000, "client_tls_failed", "longer than 16384"),
    (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", "client_tls_failed", "")], ids=["smtp", "too long", "no hello"])
def test_what_is_no_hello(yett, authority, port, three, targets, said, event, reason):
    running = yett(configuration(port, three, targets))
    with connect(port) as s:
        with contextlib.suppress(OSError):
            s.sendall(said)
            assert read_to_end(s)[0][:1] in (b"\x15", b"")
    line = wait_until(lambda: running.log_lines(event), f"its line: {running.log()}", 20 * PATIENCE)[0]
    assert reason in line["reason"], line
    assert ask(port, authority, "a.test")[0] == "a"


def test_who_says_nothing_is_nobodys(yett, authority, port, three, targets):
    """Its line, and its end by time, are those of the service that has the socket."""
    running = yett(configuration(port, three, targets, a="handshake_timeout = 1s\n"))
    with connect(port) as s:
        s.sendall(hello_of(authority, "x.b.test")[:20])
        assert read_to_end(s)[0] == b""
    line = wait_until(lambda: running.log_lines("client_timeout"), "its line", 20 * PATIENCE)[0]
    assert line["service"] == "a" and "client_hello" in line["reason"], line
    wait_until(lambda: running.counter("connections_open") == 0, "it to be gone", 20 * PATIENCE)


def test_reload_moves_a_name(yett, authority, port, three, targets):
    running = yett(configuration(port, three, targets))
    assert ask(port, authority, "a.test")[0] == "a"
    running.configure(configuration(port, three, targets).replace("server_name = a.test", "server_name = c.test"))
    running.command("reload")
    assert ask(port, authority, "a.test")[0] == "rest"
    assert ask(port, authority, "c.test")[0] == "a"


def test_behind_a_balancer(yett, authority, port, three, targets):
    balancer = "accept_proxy = any\naccept_proxy_from = 127.0.0.1\n"
    running = yett(configuration(port, three, targets, a=balancer, b=balancer + "allow_client = 192.0.2.9\n", rest=balancer))
    s = connect(port)
    s.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 5 6\r\n")
    with context(authority).wrap_socket(s, server_hostname="x.b.test") as tls:
        assert tls.recv(100) == b"b"
    line = wait_until(lambda: running.log_lines(service="b", client="192.0.2.9:5"), "its line", 20 * PATIENCE)[0]
    assert line["proxy"].startswith("127.0.0.1:"), line


def test_check_says_what_cannot_be_shared(yett, folder, authority, port, three, targets):
    wrong = configuration(port, three, targets).replace("protocol = tcp", "protocol = imap", 1)
    path = folder / "wrong.conf"
    path.write_text(f"[yett]\ncontrol = {folder}/x.sock\n" + wrong)
    done = subprocess.run([str(YETT), "check", "-c", str(path)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 1 and f"{path}:" in done.stdout + done.stderr
    assert "services that share an address have one protocol" in done.stdout + done.stderr, done
