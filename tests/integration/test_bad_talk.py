"""Clients that go wrong before TLS: in mail protocols and HTTP. The answer is byte for byte what the protocol has for it."""
import re
import socket

import pytest
from bad_peers import Watched, is_alert, read_to_end, reset
from conftest import connect
from peers import client_tls, free_port

GREETINGS = {"smtp": b"220 mx.test ESMTP\r\n", "lmtp": b"220 mx.test LMTP\r\n",
             "imap": b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED ID] mx.test\r\n", "pop3": b"+OK mx.test\r\n",
             "nntp": b"200 mx.test\r\n",
             "sieve": b'"IMPLEMENTATION" "mx.test"\r\n"SASL" ""\r\n"SIEVE" ""\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK "Ready"\r\n', "http": b""}
EHLO = b"250-mx.test\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"  # RFC 3207 section 4, RFC 2034


def accepting(protocol, authority, port, target, extra=""):
    return (f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
            f"greeting_name = mx.test\nidentity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\n"
            f"connect_tls = none\n{extra}")


def proxy(port, target, extra=""):
    return (f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"allow_target = localhost:{target}, 127.0.0.0/8:{target}, [::1]:{target}\n{extra}")


def response(status, body, fields=b""):
    return (b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % len(body)
            + b"Connection: close\r\n" + fields + b"\r\n" + body)


def unnamed(answer):
    """A page of ours without its last line, which names the connection."""
    page = re.fullmatch(rb"(.*\r\nContent-Length: )(\d+)(\r\n.*\n)(Connection \d+\.\d+\.\d+\n)", answer, re.S)
    return answer if page is None else page[1] + b"%d" % (int(page[2]) - len(page[4])) + page[3]


NOT_UNDERSTOOD = response(b"400 Bad Request", b"The request is not understood.\n")

# Protocol, what is sent, what is answered behind the greeting, the reason in the log, the counter besides the usual one.
TALK = {
    "http to smtp": ("smtp", b"GET / HTTP/1.1\r\n\r\n", b"500 5.5.1 This is not an HTTP server\r\n", "speaks HTTP", None),
    "tls to smtp": ("smtp", b"\x16\x03\x01\x00\x05hello", b"500 5.5.2 A line has a NUL byte\r\n", "TLS at once", None),
    "smtp injection": ("smtp", b"EHLO a\r\nSTARTTLS\r\nNOOP\r\n",
                       EHLO + b"501 5.5.2 Nothing may follow STARTTLS before TLS\r\n", "6 bytes of plain text",
                       "injections_refused_total"),
    "smtp long line": ("smtp", b"EHLO " + b"x" * 5000, b"500 5.5.2 A line is too long\r\n", "too long", None),
    "smtp bare lf": ("smtp", b"EHLO a\n", b"500 5.5.2 A line ends with LF instead of CRLF\r\n", "LF instead", None),
    "smtp nul": ("smtp", b"EHLO a\0b\r\n", b"500 5.5.2 A line has a NUL byte\r\n", "NUL", None),
    "smtp mail before tls": ("smtp", b"EHLO a\r\n" + b"MAIL FROM:<a@b>\r\n" * 50,
                             EHLO + b"530 5.7.0 Must issue a STARTTLS command first\r\n" * 10
                             + b"421 4.7.0 Too many refused commands\r\n", "10 commands", None),
    "smtp to lmtp": ("lmtp", b"EHLO a\r\n" * 50, b"500 5.5.1 This is LMTP: say LHLO\r\n" * 10
                     + b"421 4.7.0 Too many refused commands\r\n", "10 commands", None),
    "http to imap": ("imap", b"GET / HTTP/1.1\r\n\r\n", b"* BYE This is not an HTTP server\r\n", "speaks HTTP", None),
    "imap injection": ("imap", b"a STARTTLS\r\nb NOOP\r\n", b"a BAD Nothing may follow STARTTLS before TLS\r\n* BYE Closing\r\n",
                       "8 bytes of plain text", "injections_refused_total"),
    "imap literal": ("imap", b"a LOGIN {5+}\r\nalice x\r\n",
                     b"a BAD No literal is taken before STARTTLS\r\n* BYE Closing\r\n", "literal", None),
    "imap endless line": ("imap", b"a " + b"x" * 70000,
                          b"* BAD A line goes past what may be said before TLS\r\n* BYE Closing\r\n", "goes past", None),
    "imap nul": ("imap", b"a NO\0OP\r\n", b"* BAD A line has a NUL byte\r\n* BYE Closing\r\n", "NUL", None),
    "imap login before tls": ("imap", b"a LOGIN x y\r\n" * 50, b"a NO [PRIVACYREQUIRED] Say STARTTLS first\r\n" * 10
                              + b"* BYE Too many refused commands\r\n", "10 commands", None),
    "http to pop3": ("pop3", b"GET / HTTP/1.1\r\n\r\n", b"-ERR This is not an HTTP server\r\n", "speaks HTTP", None),
    "pop3 injection": ("pop3", b"STLS\r\nUSER x\r\n", b"-ERR Nothing may follow STLS before TLS\r\n", "8 bytes of plain text",
                       "injections_refused_total"),
    "pop3 login before tls": ("pop3", b"USER x\r\nPASS y\r\n" * 50,
                              b"-ERR [AUTH] Say STLS first: no name or password is taken without TLS\r\n" * 2,
                              "2 commands with credentials", None),
    "pop3 bare lf": ("pop3", b"STLS\n", b"-ERR A line ends with LF instead of CRLF\r\n", "LF instead", None),
    "tls to pop3": ("pop3", b"\x16\x03\x01\x00\x05hello", b"-ERR A line has a NUL byte\r\n", "TLS at once", None),
    "http to sieve": ("sieve", b"GET / HTTP/1.1\r\n\r\n", b'BYE "This is not an HTTP server"\r\n', "speaks HTTP", None),
    "sieve injection": ("sieve", b"STARTTLS\r\nNOOP\r\n", b'BYE "Nothing may follow STARTTLS before TLS"\r\n',
                        "6 bytes of plain text", "injections_refused_total"),
    "sieve literal": ("sieve", b'NOOP {9+}\r\nSTARTTLS\r\n', b'BYE "No literal is taken before TLS"\r\n', "literal", None),
    "sieve login before tls": ("sieve", b'AUTHENTICATE "PLAIN"\r\n' * 50, b'NO (ENCRYPT-NEEDED) "Say STARTTLS first"\r\n' * 10
                               + b'BYE "Too many refused commands"\r\n', "10 commands", None),
    "sieve bare lf": ("sieve", b"STARTTLS\n", b'BYE "A line ends with LF instead of CRLF"\r\n', "LF instead", None),
    "tls to sieve": ("sieve", b"\x16\x03\x01\x00\x05hello", b'BYE "A line has a NUL byte"\r\n', "TLS at once", None),
    "http to nntp": ("nntp", b"GET / HTTP/1.1\r\n\r\n", b"400 This is not an HTTP server\r\n", "speaks HTTP", None),
    "nntp injection": ("nntp", b"STARTTLS\r\nDATE\r\n", b"501 Nothing may follow STARTTLS before TLS\r\n",
                       "6 bytes of plain text", "injections_refused_total"),
    "nntp login before tls": ("nntp", b"AUTHINFO USER x\r\n" * 50, b"483 Say STARTTLS first\r\n" * 10
                              + b"400 Too many refused commands\r\n", "10 commands", None),
    "nntp bare lf": ("nntp", b"STARTTLS\n", b"501 A line ends with LF instead of CRLF\r\n", "LF instead", None),
    "tls to nntp": ("nntp", b"\x16\x03\x01\x00\x05hello", b"501 A line has a NUL byte\r\n", "TLS at once", None),
    "http get of no uri": ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", NOT_UNDERSTOOD,
                           "neither host:port nor an https URI", None),
    "http control bytes": ("http", b"\0\1\2\r\n\r\n", NOT_UNDERSTOOD, "NUL", None),
    "tls to imap": ("imap", b"\x16\x03\x01\x00\x05hello",
                    b"* BAD A line has a NUL byte\r\n* BYE Closing\r\n", "TLS at once", None),
    "tls to http": ("http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", NOT_UNDERSTOOD, "TLS at once", None),
    "http bad target": ("http", b"CONNECT a HTTP/1.1\r\n\r\n", NOT_UNDERSTOOD, "not host:port", None),
    "http body": ("http", b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 5\r\n\r\nhello",
                  NOT_UNDERSTOOD, "sends a body", None),
    "http long header": ("http", b"CONNECT localhost:1 HTTP/1.1\r\nX: " + b"y" * 70000,
                         response(b"431 Request Header Fields Too Large", b"The request is more than is taken here: a field of the "
                                  b"request is longer than 65536 bytes (http_field_max).\n"), "http_field_max", None),
    "http 9": ("http", b"CONNECT localhost:1 HTTP/9.1\r\n\r\n",
               response(b"505 HTTP Version Not Supported", b"Only HTTP/1.0 and HTTP/1.1 are served here.\n"),
               "neither 1.0 nor 1.1", None),
}


def say(port, data):
    with connect(port) as s:
        s.sendall(data)
        return unnamed(read_to_end(s)[0])


def watched(yett, protocol, authority, port, target, extra=""):
    return Watched(yett, proxy(port, target, extra) if protocol == "http" else
                   accepting(protocol, authority, port, target, extra))


def serves_on(protocol, authority, port, target):
    """A good connection."""
    with connect(port) as s:
        if protocol == "http":
            s.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (target, target))
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
        else:
            assert s.recv(4096) == GREETINGS[protocol]
            for command in {"smtp": [b"EHLO a", b"STARTTLS"], "lmtp": [b"LHLO a", b"STARTTLS"], "imap": [b"a STARTTLS"],
                            "pop3": [b"STLS"], "sieve": [b"STARTTLS"], "nntp": [b"STARTTLS"]}[protocol]:
                s.sendall(command + b"\r\n")
                assert s.recv(4096)[:4] in (b"250-", b"220 ", b"a OK", b"+OK ", b"OK \"", b"382 ")
            client_tls(authority).wrap_socket(s, server_hostname="localhost").close()


@pytest.mark.parametrize("name", TALK)
def test_talk(yett, authority, echo, port, name):
    protocol, data, answer, reason, counter = TALK[name]
    watch = watched(yett, protocol, authority, port, echo.port)
    assert say(port, data) == GREETINGS[protocol] + answer
    line = watch.one_line("client_protocol_error", "protocol_error", counter or "negotiations_failed_total", reason)
    assert "target" not in line and echo.connections == 0  # no byte of it went anywhere
    serves_on(protocol, authority, port, echo.port)


@pytest.mark.parametrize("protocol, answer", [
    ("smtp", b"421 4.4.2 mx.test Timeout\r\n"),  # RFC 5321 section 3.8, RFC 3463
    ("imap", b"* BYE Timeout\r\n"),              # RFC 9051 section 7.1.5
    ("http", response(b"408 Request Timeout", b"The request took too long.\n")),
])
def test_silence(yett, authority, echo, port, protocol, answer):
    watch = watched(yett, protocol, authority, port, echo.port, "handshake_timeout = 1s\n")
    assert say(port, b"") == GREETINGS[protocol] + answer
    watch.one_line("client_timeout", "timeout_client", "timeouts_handshake_total", "not ready in time")
    serves_on(protocol, authority, port, echo.port)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("protocol, talk", [
    ("smtp", b"EHLO a\r\nSTARTTLS\r\n"),
    ("imap", b"a STARTTLS\r\n"),
    ("http", b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n"),
])
def test_client_that_vanishes_after_each_byte(yett, authority, echo, port, protocol, talk, how):
    watch = watched(yett, protocol, authority, port, echo.port)
    for size in range(1, len(talk)):  # one that says nothing is nobody's concern
        s = connect(port)
        if GREETINGS[protocol]:
            assert s.recv(4096) == GREETINGS[protocol]
        s.sendall(talk[:size])
        if how == "rst":
            reset(s)
        else:
            with s:
                s.shutdown(socket.SHUT_WR)
                read_to_end(s)
    written = watch.accounted_for(len(talk) - 1)
    assert {(x["event"], x["end"]) for x in written} == {("session_ended", "client_left")}, written
    assert all("client_negotiate" in x["reason"] for x in written), written
    assert watch.rose("clients_left_total") == len(talk) - 1 and watch.rose("sessions_failed_total") == 0
    serves_on(protocol, authority, port, echo.port)


def test_client_that_vanishes_at_the_go_ahead(yett, authority, echo, port):
    """What follows the go-ahead is TLS: its end there is a failed handshake."""
    watch = watched(yett, "smtp", authority, port, echo.port)
    with connect(port) as s:
        s.sendall(b"EHLO a\r\nSTARTTLS\r\n")
        s.shutdown(socket.SHUT_WR)
        assert read_to_end(s)[0] == GREETINGS["smtp"] + EHLO + b"220 2.0.0 Ready to start TLS\r\n"
    watch.one_line("client_tls_failed", "tls_failed", "handshakes_server_failed_total", "during the TLS handshake",
                   "closed_in_handshake")


def test_client_that_goes_on_in_plain_text(yett, authority, echo, port):
    watch = watched(yett, "smtp", authority, port, echo.port)
    with connect(port) as s:
        s.sendall(b"EHLO a\r\nSTARTTLS\r\n")
        said = b""
        while not said.endswith(b"220 2.0.0 Ready to start TLS\r\n"):
            more = s.recv(4096)
            assert more, said
            said += more
        s.sendall(b"EHLO a\r\n")
        assert is_alert(read_to_end(s)[0], "unexpected_message")
    watch.one_line("client_tls_failed", "tls_failed", "handshakes_server_failed_total", "speaks plain SMTP", "not_tls")
    serves_on("smtp", authority, port, echo.port)


@pytest.mark.parametrize("protocol, answer", [
    ("smtp", b"421 4.3.2 mx.test Too busy, try again later\r\n"),
    ("imap", b"* BYE [UNAVAILABLE] Too busy, try again later\r\n"),
    ("http", response(b"503 Service Unavailable", b"Too busy, try again later.\n", b"Retry-After: 10\r\n")),
])
def test_too_many_connections(yett, authority, echo, port, protocol, answer):
    watch = watched(yett, protocol, authority, port, echo.port, "connections_per_address_max = 1\n")
    with connect(port):
        if protocol != "http":
            watch.running.wait_for_counter("connections_open")
        else:
            watch.running.wait_for_counter("connections_total")
        assert say(port, b"") == answer
        watch.running.wait_for_counter("connections_refused_limit_total")
        lines = watch.lines()
        assert [x["event"] for x in lines] == ["connection_refused"], lines
        assert lines[0]["reason"] == "connections_per_address_max is reached" and lines[0]["client"]
    watch.settle()
    serves_on(protocol, authority, port, echo.port)


@pytest.mark.parametrize("protocol, answer", [
    ("smtp", b"421 4.3.2 mx.test No server answers, try again later\r\n"),
    ("imap", b"* BYE [UNAVAILABLE] No server answers, try again later\r\n"),
])
def test_target_that_refuses_is_told_inside_tls(yett, authority, port, protocol, answer):
    watch = watched(yett, protocol, authority, port, free_port())
    with connect(port) as s:
        s.sendall({"smtp": b"EHLO a\r\n", "imap": b"a NOOP\r\n"}[protocol])
        said = b""
        while said.count(b"\r\n") < {"smtp": 4, "imap": 2}[protocol]:
            said += s.recv(4096)
        s.sendall({"smtp": b"STARTTLS\r\n", "imap": b"b STARTTLS\r\n"}[protocol])
        assert s.recv(4096)[:4] in (b"220 ", b"b OK")
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as tls:
            assert read_to_end(tls) == (answer, True)  # and close_notify: ssl would raise without it
    watch.one_line("target_failed", "target_failed", "targets_failed_total", "connection refused")
