"""Every way a connection can end happens here, by the list in proxy/session/session_ends.h: its line has the name, event and level of the
list, who has to do something about it, and what. An end without a test is an error, and so is a test without an end."""
import contextlib
import os
import re
import socket
import ssl
import threading

import pytest
from bad_peers import read_to_end, reset
from conftest import PATIENCE, SLOW_TOKEN, TOP, YETT, connect
from peers import ConnectProxy, EchoServer, ScriptedServer, client_tls, free_port, server_tls, tool, wait_until
from test_bad_limits import hello_of_openssl
from test_bad_targets import full_backlog, lines_of


def listed():
    """The rows of SESSION_ENDS, by name: (event, level, fault, sentence, advice)."""
    text = (TOP / "proxy/session/session_ends.h").read_text()
    body = text[text.index("#define SESSION_ENDS(X)"):text.index("#define SESSION_END_ENUM")].replace("\\\n", " ")
    rows = re.findall(r'X\((\w+), "(\w+)", (\w+), (\w+),\s*"([^"]*)",\s*"([^"]*)"\)', body)
    assert len(rows) == body.count(" X(")
    return {name: (event, level.lower(), fault.lower(), sentence, advice) for name, event, level, fault, sentence, advice in rows}


ENDS = listed()
WAYS = {}


def way(name):
    """Registers how an end is made to happen: a function of a Scene."""
    def register(function):
        assert name not in WAYS
        WAYS[name] = function
        return function
    return register


class Scene:
    """What a way has to play with; `watch` ends with the one line."""

    def __init__(self, yett, authority, token, folder, port, stack):
        self.yett, self.authority, self.token, self.folder, self.port = yett, authority, token, folder, port
        self.stack, self.running = stack, None

    def server(self, server):
        return self.stack.enter_context(server)

    def run(self, configuration, settings=""):
        self.running = self.yett(configuration, settings="workers = 1\nlog_level = debug\n" + settings)

    def accepting(self, target, extra="", protocol="tcp", listen_tls="implicit", identity=None, before="", settings=""):
        """A service with TLS for clients and a plain target."""
        identity = identity or f"file:{self.authority.localhost.pem}"
        self.run(before + f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{self.port}\nlisten_tls = {listen_tls}\n"
                 f"identity = {identity}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\ngreeting_name = mx.test\n{extra}",
                 settings)

    def connecting(self, target, extra="", protocol="smtp", connect_tls="starttls", before="", settings=""):
        """A service with plain clients and a target with TLS."""
        self.run(before + f"[service out]\nprotocol = {protocol}\nlisten = 127.0.0.1:{self.port}\nlisten_tls = none\n"
                 f"connect = localhost:{target}\nconnect_tls = {connect_tls}\ngreeting_name = mx.test\n"
                 f"trust = file:{self.authority.cert}\n{extra}", settings)

    def answering(self, *said, **options):
        """A connected side whose target says these things, one after each line of ours."""
        def script(connection):
            for step in said:
                connection.sendall(step)
                lines_of(connection, 1)
        self.connecting(self.server(ScriptedServer(script)).port, **options)

    def connect(self):
        return self.stack.enter_context(connect(self.port))

    def tls(self, **options):
        context = client_tls(self.authority, **options)
        context.maximum_version = ssl.TLSVersion.TLSv1_3
        return self.stack.enter_context(context.wrap_socket(connect(self.port), server_hostname="localhost"))

    def hear(self):
        """Connect, say nothing, and listen to the end."""
        return read_to_end(self.connect())[0]

    def relaying(self, **options):
        """A client with TLS, and its echo."""
        s = self.tls(**options)
        s.sendall(b"hello")
        assert s.recv(100) == b"hello"
        return s

    def echo(self):
        return self.server(EchoServer()).port

    def token_identity(self, certificate, name):
        return self.token.put(certificate, name)

    def hang_token(self):
        """Token settings with which nothing is signed while a file is there; it is taken away at the end."""
        hang = self.folder / "hang"
        hang.write_text("")
        self.stack.callback(hang.unlink)
        return self.token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_HANG_FILE=hang)

    def take_pin_back(self):
        tool(str(YETT), "token", "logout", "-c", str(self.running.config), "token")
        self.running.wait_for_log("token_logged_out")


# ---- nothing to look into ----

@way("closed")
def _(scene):
    scene.accepting(scene.echo())
    scene.relaying().unwrap().close()


@way("quit")
def _(scene):
    scene.accepting(free_port(), protocol="smtp", listen_tls="starttls")
    s = scene.connect()
    s.sendall(b"QUIT\r\n")
    assert read_to_end(s)[0].endswith(b"221 2.0.0 Bye\r\n")


@way("client_silent")
def _(scene):
    scene.accepting(free_port())
    scene.connect().close()


@way("client_left")
def _(scene):
    scene.accepting(free_port(), protocol="smtp", listen_tls="starttls")
    s = scene.connect()
    s.sendall(b"EHLO a\r\n")
    s.close()


@way("timeout_idle")
def _(scene):
    scene.accepting(scene.echo(), "idle_timeout = 1s\n")
    read_to_end(scene.relaying())


@way("timeout_half_close")
def _(scene):
    scene.accepting(scene.server(EchoServer(mode="hang")).port, "half_close_timeout = 1s\n")
    s = scene.tls()
    s.sendall(b"x")
    with contextlib.suppress(OSError):
        s.unwrap()


@way("truncated")
def _(scene):
    scene.accepting(scene.echo())
    s = scene.relaying()
    s.shutdown(socket.SHUT_RDWR)  # FIN, and no close_notify


@way("reset")
def _(scene):
    scene.accepting(scene.echo())
    reset(scene.relaying())


@way("shutdown")
def _(scene):
    scene.accepting(scene.echo(), settings="drain_timeout = 1s\n")
    scene.relaying()
    scene.running.stop()


# ---- the client ----

BALANCER = "accept_proxy = any\naccept_proxy_from = 127.0.0.1\n"


@way("too_many")
def _(scene):
    scene.accepting(free_port(), BALANCER + "connections_per_address_max = 1\n")
    for _ in range(2):
        scene.connect().sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")


@way("proxy_missing")
def _(scene):
    scene.accepting(free_port(), BALANCER, protocol="smtp", listen_tls="starttls")
    s = scene.connect()
    s.sendall(b"EHLO a\r\n")
    assert read_to_end(s)[0] == b""


@way("proxy_malformed")
def _(scene):
    scene.accepting(free_port(), BALANCER)
    scene.connect().sendall(b"PROXY TCP4 192.0.2.1\r\n")


@way("proxy_unexpected")
def _(scene):
    scene.accepting(free_port(), protocol="smtp", listen_tls="starttls")
    scene.connect().sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nEHLO a\r\n")


@way("name_unknown")
def _(scene):
    scene.accepting(free_port(), "server_name = other.test\n")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        scene.tls()


@way("protocol_error")
def _(scene):
    scene.accepting(free_port(), protocol="smtp", listen_tls="starttls")
    s = scene.connect()
    s.sendall(b"EHLO a\n")
    read_to_end(s)


@way("timeout_client")
def _(scene):
    scene.accepting(free_port(), "handshake_timeout = 1s\n")
    scene.hear()


@way("tls_failed")
def _(scene):
    scene.accepting(free_port())
    s = scene.connect()
    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
    read_to_end(s)


@way("identity_unavailable")
def _(scene):
    uri = scene.token_identity(scene.authority.localhost, "server")
    scene.accepting(free_port(), identity=uri, before=scene.token.settings())
    scene.take_pin_back()
    s = scene.connect()
    s.sendall(hello_of_openssl())
    read_to_end(s)


def fill(scene, counter):
    """More connections than there is room for; all but those refused wait, and end unseen."""
    held = [scene.connect() for _ in range(60)]
    if counter == "client":
        for s in held:
            s.sendall(hello_of_openssl())
    scene.running.wait_for_counter("handshake_queue_refused_total")


@way("overload")
def _(scene):
    uri = scene.token_identity(scene.authority.localhost, "server")
    scene.accepting(free_port(), "handshake_timeout = 60s\n", identity=uri, before=scene.hang_token(),
                    settings="handshake_queue_max = 1\n")
    fill(scene, "client")


@way("denied")
def _(scene):
    scene.accepting(free_port(), f"peer = require\npeer_trust = file:{scene.authority.cert}\nallow = cn:bob\n")
    with contextlib.suppress(OSError):
        scene.tls(cert=scene.authority.alice).recv(1)


@way("target_denied")
def _(scene):
    scene.run(f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{scene.port}\nlisten_tls = none\n"
              "allow_target = good.test:443\n")
    s = scene.connect()
    s.sendall(b"CONNECT bad.test:443 HTTP/1.1\r\nHost: bad.test:443\r\n\r\n")
    assert read_to_end(s)[0].startswith(b"HTTP/1.1 403 ")


# ---- the target ----

@way("target_failed")
def _(scene):
    scene.connecting(free_port())
    assert scene.hear() == b"421 4.3.2 mx.test No server answers, try again later\r\n"


@way("timeout_connect")
def _(scene):
    scene.connecting(scene.stack.enter_context(full_backlog()), "connect_timeout = 1s\n")
    assert scene.hear() == b"421 4.3.2 mx.test No server answers in time, try again later\r\n"


@way("timeout_target")
def _(scene):
    scene.connecting(scene.server(EchoServer(mode="hang")).port, "handshake_timeout = 1s\n")
    assert scene.hear() == b"421 4.3.2 mx.test No server answers in time, try again later\r\n"


@way("target_left")
def _(scene):
    scene.connecting(scene.server(ScriptedServer(lambda connection: None)).port)
    assert scene.hear() == b"421 4.3.2 mx.test No server answers, try again later\r\n"


@way("target_unwilling")
def _(scene):
    scene.answering(b"554 No SMTP service here\r\n")
    assert scene.hear() == b"421 4.3.2 mx.test The server does not want to serve now, try again later\r\n"


@way("target_goodbye")
def _(scene):
    scene.answering(b"* OK hi\r\n", b"* BYE Shutting down\r\n", protocol="imap")
    assert scene.hear() == b"* BYE [UNAVAILABLE] The server does not want to serve now\r\n"


@way("target_no_starttls")
def _(scene):
    scene.answering(b"220 mx\r\n", b"250 mx\r\n")
    assert scene.hear() == b"421 4.7.0 mx.test The server offers no TLS\r\n"


@way("target_refused_starttls")
def _(scene):
    scene.answering(b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"454 4.7.0 not now\r\n")
    assert scene.hear() == b"421 4.7.0 mx.test The server offers no TLS\r\n"


@way("target_refused_command")
def _(scene):
    scene.answering(b"220 mx\r\n", b"502 5.5.1 what\r\n")
    assert scene.hear() == b"421 4.3.0 mx.test The server's answer is not understood\r\n"


@way("target_protocol_error")
def _(scene):
    scene.answering(b"* OK this is IMAP\r\n")
    assert scene.hear() == b"421 4.3.0 mx.test The server's answer is not understood\r\n"


@way("via_refused")
def _(scene):
    proxy = scene.server(ConnectProxy({"localhost:587": 403}))
    scene.connecting(587, f"via = 127.0.0.1:{proxy.port}\n")
    assert scene.hear() == b"421 4.3.2 mx.test No server answers, try again later\r\n"


@way("header_too_large")
def _(scene):
    names = [f"DNS:a-name-of-forty-bytes-{i:05}.example.org" for i in range(900)]
    large = scene.authority.client("large", sans=names)
    scene.accepting(scene.echo(), f"peer = require\npeer_trust = file:{scene.authority.cert}\nallow = any\n"
                    "send_proxy = v2-tls\n")
    with contextlib.suppress(OSError):
        scene.tls(cert=large).recv(1)


@way("target_tls_failed")
def _(scene):
    other = scene.authority.server("other.test")
    scene.connecting(scene.server(EchoServer(tls=server_tls(other))).port, connect_tls="implicit")
    assert scene.hear() == b"421 4.7.0 mx.test The server's TLS cannot be trusted\r\n"


@way("target_identity_unavailable")
def _(scene):
    uri = scene.token_identity(scene.authority.alice, "alice")
    target = scene.server(EchoServer(tls=server_tls(scene.authority.localhost, scene.authority)))
    scene.connecting(target.port, f"identity = {uri}\n", connect_tls="implicit", before=scene.token.settings())
    scene.take_pin_back()
    assert scene.hear() == b"421 4.3.0 mx.test The key that the server asks of us is not available now\r\n"


@way("target_overload")
def _(scene):
    uri = scene.token_identity(scene.authority.alice, "alice")
    target = scene.server(EchoServer(tls=server_tls(scene.authority.localhost, scene.authority)))
    scene.connecting(target.port, f"identity = {uri}\nhandshake_timeout = 60s\n", connect_tls="implicit",
                     before=scene.hang_token(), settings="handshake_queue_max = 1\n")
    fill(scene, "target")


# ---- the relay ----

@way("relay_protocol_error")
def _(scene):
    done = threading.Event()
    scene.stack.callback(done.set)
    target = scene.server(ScriptedServer(lambda connection: (connection.sendall(b"220 mx\r\n"), done.wait(60))))
    scene.accepting(target.port, protocol="smtp")
    s = scene.tls()
    s.sendall(b"GET /?token=secret HTTP/1.1\r\n\r\n")
    with contextlib.suppress(OSError):
        read_to_end(s)
    wait_until(lambda: "relay_protocol_error" in scene.running.log(), "the end")
    assert "secret" not in scene.running.log()


@way("relay_tls_failed")
def _(scene):
    scene.accepting(scene.echo())
    s = scene.relaying()
    with socket.socket(fileno=os.dup(s.fileno())) as raw:
        raw.setblocking(True)
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record that nobody has protected
        read_to_end(raw)


def test_each_end_has_a_way():
    assert WAYS.keys() == ENDS.keys()


def test_each_error_of_ours_is_in_the_manual():
    """Names that tls/ gives, and none besides; those of alerts have a section of their own."""
    given = set()
    for path in [*(TOP / "tls").glob("*.c"), TOP / "proxy/session/leg_tls.c"]:
        given |= set(re.findall(r'(?:tls_engine_fail|tls_engine_note_error|tls_engine_give_up)\(\s*[^;]*?"(\w+)"', path.read_text()))
    manual = (TOP / "packaging/yett.8").read_text().split(".Sh TLS ERRORS\n")[1].split("\n.Sh ")[0]
    told = set(re.findall(r"^\.It Li (\w+)$", manual, re.M))
    assert len(given) > 15
    assert given - {"unknown_error", "alert_received_unknown"} == told


@pytest.mark.parametrize("name", ENDS)
def test_end(yett, authority, token, folder, port, name):
    event, level, fault, sentence, advice = ENDS[name]
    with contextlib.ExitStack() as stack:
        scene = Scene(yett, authority, token, folder, port, stack)
        WAYS[name](scene)

        def ended():
            return [x for x in scene.running.log_lines(event) if x.get("end") == name]

        wait_until(ended, f"a connection to end like this:\n{scene.running.log()[-4000:]}", 20 * PATIENCE)
        lines = [x for x in scene.running.log_lines() if "end" in x]
    if "overload" not in name:  # there many end so
        assert len(lines) == 1, lines
    line = ended()[0]
    assert line["level"] == level, line
    if level == "warning":
        # Where what happened says more than the end does.
        exact = {"target_tls_failed": (fault, "verify_name must be a name the certificate is for, or the server needs another "
                                              "certificate"),
                 "tls_failed": (fault, "it should use https, or another port"),
                 "relay_protocol_error": ("client", "see what the client is, and that it is meant for this port"),
                 "relay_tls_failed": ("client", "the error's name is NSS's, and the reason its sentence: look at the program on the "
                                                "other side, and at the network")}
        assert fault != "peer" or name in exact
        assert line["reason"] and (line["fault"], line["advice"]) == exact.get(name, (fault, advice)), line
    else:
        assert "fault" not in line and "advice" not in line, line


def smtp_challenge(connection):
    """A server that knows AUTH and asks for the answer, as RFC 4954 section 4 has it."""
    connection.sendall(b"220 mx\r\n")
    lines_of(connection, 2)
    connection.sendall(b"250-mx\r\n250 AUTH PLAIN\r\n")
    connection.sendall(b"334 \r\n")
    connection.recv(100)


def smtp_confused(connection):
    connection.sendall(b"220 mx\r\n")
    lines_of(connection, 1)
    connection.sendall(b"399 what?\r\n")
    connection.recv(100)


def imap_challenge(connection):
    connection.sendall(b"* OK hello\r\n")
    lines_of(connection, 2)
    connection.sendall(b"+ \r\n")
    connection.recv(100)


@pytest.mark.parametrize("protocol, says, script, fault, reason", [
    ("smtp", b"EHLO a\r\nAUTH PLAIN\r\nAGEAYg==\r\n", smtp_challenge, "client", "the client did not wait"),
    ("smtp", b"EHLO a\r\n", smtp_confused, "target", "the server sent a 399 reply"),
    ("imap", b"a AUTHENTICATE PLAIN\r\nAGEAYg==\r\n", imap_challenge, "client", "the client did not wait"),
    ("pop3", b"x" * 100000 + b"\r\n", lambda connection: (connection.sendall(b"+OK\r\n"), connection.recv(1)), "client",
     "the client sent a command line that is too long"),
], ids=["smtp client", "smtp server", "imap client", "pop3 client"])
def test_whoever_broke_the_relay_is_blamed(yett, authority, token, folder, port, protocol, says, script, fault, reason):
    """And not the side whose bytes showed it."""
    with contextlib.ExitStack() as stack:
        scene = Scene(yett, authority, token, folder, port, stack)
        scene.accepting(scene.server(ScriptedServer(script)).port, protocol=protocol)
        s = scene.tls()
        with contextlib.suppress(OSError):
            s.sendall(says)
            read_to_end(s)
        scene.running.wait_for_log("relay_protocol_error")
        line, = scene.running.log_lines("relay_protocol_error")
    assert line["fault"] == fault and line["reason"].startswith(reason), line
    assert line["advice"] != ENDS["relay_protocol_error"][4], line


def test_an_http_target_that_speaks_nonsense_is_blamed(yett, authority, token, folder, port):
    with contextlib.ExitStack() as stack:
        scene = Scene(yett, authority, token, folder, port, stack)
        target = scene.server(ScriptedServer(lambda connection: (lines_of(connection, 1), connection.sendall(b"nonsense\r\n\r\n")),
                                             tls=server_tls(authority.localhost)))
        scene.run(f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                  f"allow_target = localhost:*, 127.0.0.1:*\ntrust = file:{authority.cert}\n")
        for uri, status in [(f"https://localhost:{target.port}/", b" 502 "), (f"http://localhost:{target.port}/", b" 403 ")]:
            s = scene.connect()
            s.sendall(f"GET {uri} HTTP/1.1\r\nHost: localhost:{target.port}\r\n\r\n".encode())
            assert status in read_to_end(s)[0]
        broken, = wait_until(lambda: scene.running.log_lines("relay_protocol_error"), "the end", 20 * PATIENCE)
        refused, = wait_until(lambda: scene.running.log_lines("client_protocol_error"), "the end", 20 * PATIENCE)
    assert broken["fault"] == "target" and broken["reason"].startswith("the server's response: "), broken
    assert refused["fault"] == "client" and "https URI" in refused["advice"], refused


def lines_until(s, last):
    said = b""
    while not re.search(last, said):
        more = s.recv(4096)
        assert more, said
        said += more
    return said


@pytest.mark.parametrize("protocol, hello, offer, starttls, refusal", [
    ("smtp", b"EHLO a\r\n", rb"250[- ]STARTTLS\r\n", b"STARTTLS\r\n", b"454 4.7.0 TLS is not available now\r\n"),
    ("lmtp", b"LHLO a\r\n", rb"250[- ]STARTTLS\r\n", b"STARTTLS\r\n", b"454 4.7.0 TLS is not available now\r\n"),
    ("imap", b"a CAPABILITY\r\n", rb" STARTTLS ", b"b STARTTLS\r\n", b"b NO [UNAVAILABLE] TLS is not available now\r\n"),
])
def test_starttls_is_not_offered_while_the_key_cannot_sign(yett, authority, token, folder, port, protocol, hello, offer,
                                                           starttls, refusal):
    """RFC 3207 section 4: 454. The first who asks finds out; then nobody is led into a handshake that fails, until somebody
    is let try again."""
    end_of_hello = rb"(?m)^250 .*\r\n|^a OK .*\r\n"
    with contextlib.ExitStack() as stack:
        scene = Scene(yett, authority, token, folder, port, stack)
        uri = scene.token_identity(authority.localhost, "server")
        scene.accepting(free_port(), protocol=protocol, listen_tls="starttls", identity=uri, before=token.settings())

        def talk(*lines):
            s = scene.connect()
            s.recv(4096)
            said = b""
            for line, last in lines:
                s.sendall(line)
                said = lines_until(s, last)
            return s, said

        assert re.search(offer, talk((hello, end_of_hello))[1])
        scene.take_pin_back()
        s, said = talk((hello, end_of_hello), (starttls, rb"\r\n"))
        assert said.startswith((b"220 ", b"b OK"))
        s.sendall(hello_of_openssl())
        read_to_end(s)
        scene.running.wait_for_log("identity_unavailable")
        s, said = talk((hello, end_of_hello))
        assert not re.search(offer, said)
        assert talk((starttls, rb"\r\n"))[1] == refusal
        tool(str(YETT), "token", "login", "-c", str(scene.running.config), "token", input=b"123456\n")
        wait_until(lambda: re.search(offer, talk((hello, end_of_hello))[1]), "STARTTLS to be offered again", 20 * PATIENCE)
        s, said = talk((hello, end_of_hello), (starttls, rb"\r\n"))
        client_tls(authority).wrap_socket(s, server_hostname="localhost").close()
    lines = wait_until(lambda: [x for x in scene.running.log_lines("client_tls_failed") if "not offered" in x["reason"]],
                       "those who left without STARTTLS", 20 * PATIENCE)
    assert all(x["end"] == "identity_unavailable" and x["fault"] == "here" for x in lines)
