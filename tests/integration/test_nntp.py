"""NNTP through STARTTLS, accepting and connecting: openssl, nntplib where Python has it, a client and a server by RFC 3977 and
RFC 4642 here. (Debian's INN does not install on a machine without a domain.)"""
import importlib
import warnings

import pytest
from bad_peers import read_to_end
from conftest import connect
from peers import ScriptedServer, client_tls, free_port, server_tls, tool, wait_until

ARTICLE = [b"From: a@example.org", b"Newsgroups: test.news", b"Subject: look-alike", b"Message-ID: <1@test>", b"",
           *[b"STARTTLS", b"281 in", b".", b"..", b"QUIT"] * 100]


class NewsServer(ScriptedServer):
    """A reader's server: posts are kept and given back. certificate: it offers STARTTLS, and serves by TLS alone."""

    def __init__(self, certificate=None, greeting=b"200 news.test in clear"):
        super().__init__(self.serve_news)
        self.context = server_tls(certificate) if certificate else None
        self.greeting, self.articles, self.heard = greeting, [], []

    def serve_news(self, connection):
        connection.sendall(self.greeting + b"\r\n")
        with connection.makefile("rb") as lines:
            if self.context is None:
                self.converse(connection, lines)
                return
            assert lines.readline() == b"STARTTLS\r\n"
        connection.sendall(b"382 go\r\n")
        with self.context.wrap_socket(connection, server_side=True) as inside, inside.makefile("rb") as lines:
            self.converse(inside, lines)

    def converse(self, connection, lines):
        def block(first, what):
            connection.sendall(b"\r\n".join([first, *(b"." + x if x.startswith(b".") else x for x in what), b".", b""]))

        while line := lines.readline():
            self.heard.append(line)
            verb, _, argument = line.rstrip(b"\r\n").upper().partition(b" ")
            if verb == b"CAPABILITIES":
                block(b"101 list", [b"VERSION 2", b"READER", b"POST", b"STARTTLS", b"AUTHINFO USER"])
            elif verb == b"POST":
                connection.sendall(b"340 go\r\n")
                article = []
                while (text := lines.readline().rstrip(b"\r\n")) != b".":
                    article.append(text[1:] if text.startswith(b".") else text)
                self.articles.append(article)
                connection.sendall(b"240 kept\r\n")
            elif verb == b"ARTICLE":
                block(b"220 1 <1@test>", self.articles[-1])
            elif verb == b"AUTHINFO":
                connection.sendall(b"381 more\r\n" if argument.startswith(b"USER") else b"281 in\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"205 bye\r\n")
                return
            else:
                connection.sendall(b"500 what\r\n")


class Client:
    def __init__(self, s):
        self.use(s)
        self.greeting = self.file.readline()

    def use(self, s):
        self.socket, self.file = s, s.makefile("rb")

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.file.readline().rstrip(b"\r\n")

    def lines(self):
        found = []
        while (text := self.file.readline().rstrip(b"\r\n")) != b".":
            found.append(text[1:] if text.startswith(b".") else text)
        return found

    def start_tls(self, authority):
        assert self.say(b"STARTTLS") == b"382 Begin TLS negotiation now"
        self.use(client_tls(authority).wrap_socket(self.socket, server_hostname="localhost"))

    def post(self, article):
        assert self.say(b"POST") == b"340 go"
        self.socket.sendall(b"".join((b"." if x.startswith(b".") else b"") + x + b"\r\n" for x in article) + b".\r\n")
        assert self.file.readline() == b"240 kept\r\n"


@pytest.fixture
def server():
    with NewsServer() as server:
        yield server


def accepting(port, target, authority, tls="starttls", extra=""):
    return (f"[service in]\nprotocol = nntp\nlisten = 127.0.0.1:{port}\nlisten_tls = {tls}\ngreeting_name = mx.test\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(port, target, authority):
    return (f"[service out]\nprotocol = nntp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\ngreeting_name = mx.test\n"
            f"connect = localhost:{target}\nconnect_tls = starttls\ntrust = file:{authority.cert}\n")


def check_news(client, server):
    """Before the login and after it, an article comes back as it went, though its lines look like commands and replies."""
    assert client.say(b"STARTTLS") == b"500 what" and b"REFUSED-STARTTLS\r\n" in server.heard
    assert client.say(b"CAPABILITIES") == b"101 list"
    assert client.lines() == [b"VERSION 2", b"READER", b"POST", b"AUTHINFO USER"]
    client.post(ARTICLE)
    assert client.say(b"ARTICLE 1").startswith(b"220 ") and client.lines() == ARTICLE
    assert client.say(b"AUTHINFO USER alice") == b"381 more" and client.say(b"AUTHINFO PASS secret") == b"281 in"
    client.post(ARTICLE[::-1])
    assert client.say(b"ARTICLE 1").startswith(b"220 ") and client.lines() == ARTICLE[::-1]
    assert client.say(b"QUIT") == b"205 bye"


def test_a_client_reads_and_posts_through_starttls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    client = Client(connect(port))
    assert client.greeting == b"200 mx.test\r\n"
    assert client.say(b"CAPABILITIES") == b"101 Capabilities follow"
    assert client.lines() == [b"VERSION 2", b"READER", b"STARTTLS"]
    assert client.say(b"AUTHINFO USER alice") == b"483 Say STARTTLS first"
    client.start_tls(authority)
    check_news(client, server)


def test_openssl_and_nntplib_upgrade(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    out = tool("openssl", "s_client", "-starttls", "nntp", "-connect", f"localhost:{port}", "-CAfile", authority.cert,
               "-verify_return_error", "-quiet", "-ign_eof", input=b"CAPABILITIES\r\nQUIT\r\n").stdout
    assert "AUTHINFO" in out and "STARTTLS" not in out and "in clear" not in out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            nntplib = importlib.import_module("nntplib")
        except ImportError:  # Python 3.13
            return
    with nntplib.NNTP("localhost", port, timeout=20) as news:
        news.starttls(client_tls(authority))
        assert "STARTTLS" not in news.getcapabilities()
        news.login("alice", "secret", usenetrc=False)
        assert news.post(ARTICLE[:5] + [b"hello"]).startswith("240")


def test_nntp_before_tls_reaches_no_server(yett, authority, echo, port):
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b"AUTHINFO PASS very-secret\r\n" * 50)
        assert read_to_end(s)[0] == b"200 mx.test\r\n" + b"483 Say STARTTLS first\r\n" * 10 + b"400 Too many refused commands\r\n"
    running.wait_for_log("10 commands")
    assert echo.connections == 0 and "very-secret" not in running.log()


def test_plain_text_behind_starttls_is_refused(yett, authority, echo, port):
    """I1."""
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b"STARTTLS\r\nDATE\r\n")
        assert read_to_end(s)[0] == b"200 mx.test\r\n501 Nothing may follow STARTTLS before TLS\r\n"
    running.wait_for_counter("injections_refused_total")
    assert echo.connections == 0


def test_a_server_that_is_down_is_said_inside_tls(yett, authority, port):
    running = yett(accepting(port, free_port(), authority))
    client = Client(connect(port))
    client.start_tls(authority)
    assert client.file.readline() == b"400 No server answers, try again later\r\n"
    running.wait_for_counter("targets_failed_total")


def test_implicit_tls_in_front_of_nntp(yett, authority, server, port):
    yett(accepting(port, server.port, authority, tls="implicit"))
    s = client_tls(authority, alpn=["nntp"]).wrap_socket(connect(port), server_hostname="localhost")
    assert s.selected_alpn_protocol() == "nntp"
    client = Client(s)
    assert client.greeting == b"200 news.test in clear\r\n"  # the server's own
    check_news(client, server)


@pytest.mark.parametrize("code", [b"200", b"201"])
def test_a_plain_program_where_starttls_is_demanded(yett, authority, port, code):
    """R6: of what is said in clear it is told whether it may post, and nothing else."""
    with NewsServer(authority.localhost, greeting=code + b" news.test in clear") as server:
        yett(connecting(port, server.port, authority))
        client = Client(connect(port))
        assert client.greeting == code + b" mx.test\r\n"
        check_news(client, server)


def test_starttls_on_both_sides(yett, authority, port):
    with NewsServer(authority.localhost) as server:
        yett(f"[service both]\nprotocol = nntp\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\ngreeting_name = mx.test\n"
             f"identity = file:{authority.localhost.pem}\nconnect = localhost:{server.port}\nconnect_tls = starttls\n"
             f"trust = file:{authority.cert}\n")
        client = Client(connect(port))
        client.start_tls(authority)
        check_news(client, server)


@pytest.mark.parametrize("answer, words, event", [
    (b"500 what\r\n", b"400 The server offers no TLS\r\n", "target_refused_starttls"),                     # R3
    (b"381 go\r\n", b"400 The server offers no TLS\r\n", "target_refused_starttls"),
    (b"382 go\r\n281 in\r\n", b"400 The server's answer is not understood\r\n", "plain text"),             # R1
    (b"a OK\r\n", b"400 The server's answer is not understood\r\n", "target_protocol_error"),              # R8
])
def test_a_server_that_goes_wrong_never_hears_the_program(yett, authority, port, answer, words, event):
    heard = []

    def script(connection):
        connection.sendall(b"200 x\r\n")
        heard.append(connection.recv(100))
        connection.sendall(answer)
        heard.append(connection.recv(100))

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(b"AUTHINFO PASS very-secret\r\n")
            assert read_to_end(s)[0] == words
        running.wait_for_log(event)
        wait_until(lambda: len(heard) == 2, "the server to hear the end")
    assert heard == [b"STARTTLS\r\n", b""] and "very-secret" not in running.log()


def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, port):
    """R10."""
    with NewsServer(authority.server("elsewhere.test")) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(b"AUTHINFO PASS very-secret\r\n")
            assert read_to_end(s)[0] == b"400 The server's TLS cannot be trusted\r\n"
        running.wait_for_log("name_mismatch")
        assert server.heard == [] and "very-secret" not in running.log()


def test_check_live_tells_what_the_server_can_do(yett, authority, port):
    with NewsServer(authority.localhost) as server:
        running = yett(connecting(port, server.port, authority))
        out = running.command("check", "--live").stdout
        assert "STARTTLS, TLSv1." in out and "READER" in out
