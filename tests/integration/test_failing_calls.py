"""What a session costs may not be had: descriptors, sockets, threads. Each call of a session fails once, at each of its times;
that session may fail, and be told; the worker, every other session and the counters go on."""
import contextlib
import errno
import mmap
import struct

import pytest
from bad_peers import Watched
from conftest import FAILING_CALLS, connect, preloading
from peers import ScriptedServer, SoftHsm, client_tls, server_tls, wait_until

CALLS = {  # name: (its number in failing_calls.c, the errors it is known for)
    "socket": (1, (errno.EMFILE, errno.ENOBUFS)),
    "accept4": (2, (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.ENOBUFS)),
    "connect": (3, (errno.ENETUNREACH, errno.EADDRNOTAVAIL)),
    "read": (4, (errno.ECONNRESET, errno.ETIMEDOUT, errno.ENOBUFS)),
    "write": (5, (errno.ECONNRESET, errno.EPIPE, errno.ENOBUFS)),
    "shutdown": (6, (errno.ENOTCONN,)),
    "setsockopt": (7, (errno.ENOBUFS,)),
    "getsockopt": (8, (errno.ENOBUFS,)),
    "open": (9, (errno.EMFILE,)),
    "pthread_create": (10, (errno.EAGAIN,)),
}
TIMES = 8  # no call of these sessions is made more often than that before it repeats itself


class Order:
    """What is to fail next; struct order of failing_calls.c."""

    def __init__(self, path):
        path.write_bytes(bytes(16))
        path.chmod(0o666)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16)

    def give(self, call, at, error):
        self.map[:] = struct.pack("=4I", 0, 0, 0, 0)
        self.map[:] = struct.pack("=4I", call, at, error, 0)

    def take_back(self):
        """Whether it was carried out."""
        hits = struct.unpack("=4I", self.map[:])[3]
        self.map[:] = struct.pack("=4I", 0, 0, 0, 0)
        return hits != 0


# ---- servers ----

def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def web(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            return
        head += more
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


class Mail:
    """What SMTP, LMTP, IMAP and POP3 have in common: a greeting, a command for TLS, an exchange inside TLS, goodbye.

    asks: what we ask a server before TLS, with its answers; the last pair is the go-ahead. hears: what a client waits for, at the
    start of a line, and what it says then; the last one is answered by the go-ahead."""

    def __init__(self, greeting, asks, hears, goodbye, bye):
        self.greeting, self.asks, self.hears, self.goodbye, self.bye = greeting, asks, hears, goodbye, bye

    def server(self, certificate):
        tls = server_tls(certificate)

        def script(connection):
            connection.sendall(self.greeting)
            for command, answer in self.asks:
                if not read_line(connection).startswith(command):
                    return
                connection.sendall(answer)
            with tls.wrap_socket(connection, server_side=True) as inside:
                if read_line(inside) == self.goodbye:
                    inside.sendall(self.bye)
        return script

    def say(self, authority, s, _):
        for line, command in self.hears:
            while not (got := read_line(s)).startswith(line):
                assert got, "the end"
            if command:
                s.sendall(command)
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
            t.sendall(self.goodbye)
            heard = b""
            while more := t.recv(100):
                heard += more
            assert heard == self.bye, heard


def read_line(connection):
    """A byte at a time: what follows it may be TLS."""
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            break
        line += more
    return line


def smtp_like(hello):
    return Mail(b"220 mx\r\n", [(hello, b"250-mx\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go\r\n")],
                [(b"220 ", hello + b" a\r\n"), (b"250 ", b"STARTTLS\r\n"), (b"220 ", None)], b"QUIT\r\n", b"221 bye\r\n")


MAIL = {
    "smtp": smtp_like(b"EHLO"),
    "lmtp": smtp_like(b"LHLO"),
    "imap": Mail(b"* OK mx\r\n", [(b"S1 STARTTLS", b"S1 OK go\r\n")], [(b"* OK", b"a STARTTLS\r\n"), (b"a OK", None)],
                 b"b LOGOUT\r\n", b"* BYE\r\nb OK\r\n"),
    "pop3": Mail(b"+OK mx\r\n", [(b"STLS", b"+OK go\r\n")], [(b"+OK", b"STLS\r\n"), (b"+OK", None)],
                 b"QUIT\r\n", b"+OK bye\r\n"),
}


# ---- clients ----

def say_hello(s):
    s.sendall(b"hello")
    assert s.recv(100) == b"hello"


def say_through_tls(authority, s, _):
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
        say_hello(t)


def say_plain(_authority, s, _port):
    say_hello(s)


def head_of(s):
    heard = b""
    while not heard.endswith(b"\r\n\r\n"):
        more = s.recv(1)
        assert more, heard
        heard += more
    assert b" 200 " in heard.partition(b"\r\n")[0], heard


def say_connect(authority, s, port):
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % port)
        head_of(t)
        say_hello(t)


def say_get(_authority, s, port):
    s.sendall(b"GET https://localhost:%d/ HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (port, port))
    head_of(s)
    heard = b""
    while more := s.recv(100):
        heard += more
    assert heard == b"hello", heard


# ---- a session of each kind ----

def kind_of(name, authority, folder):
    """Its server (a script, and its TLS or None), its service without the port, its client, and sections besides."""
    accepts = f"identity = file:{authority.localhost.pem}\n"
    trusts = f"trust = file:{authority.cert}\nrevocation = off\n"
    if name in MAIL:
        return (MAIL[name].server(authority.localhost), None,
                f"protocol = {name}\nlisten_tls = starttls\n{accepts}connect = localhost:PORT\n"
                f"connect_tls = starttls\n" + trusts, MAIL[name].say, "")
    if name == "tcp":
        return (echo, None, f"protocol = tcp\nlisten_tls = implicit\n{accepts}connect = 127.0.0.1:PORT\n"
                "connect_tls = none\n", say_through_tls, "")
    if name == "tcp to TLS":
        return (echo, server_tls(authority.localhost), "protocol = tcp\nlisten_tls = none\nconnect = localhost:PORT\n"
                f"connect_tls = implicit\n{trusts}", say_plain, "")
    if name == "http-proxy, CONNECT":
        return (echo, None, f"protocol = http-proxy\nlisten_tls = implicit\n{accepts}"
                "allow_target = localhost:PORT, 127.0.0.0/8:PORT\n", say_connect, "")
    if name == "http-proxy, https":
        return (web, server_tls(authority.localhost), "protocol = http-proxy\nlisten_tls = none\n"
                f"allow_target = localhost:PORT, 127.0.0.0/8:PORT\n{trusts}", say_get, "")
    assert name == "client certificate on a token"
    token = SoftHsm(folder / "hsm")
    return (echo, server_tls(authority.localhost, authority), "protocol = tcp\nlisten_tls = none\nconnect = localhost:PORT\n"
            f"connect_tls = implicit\nidentity = {token.put(authority.alice, 'alice')}\n{trusts}", say_plain,
            token.settings())


# With each error that a call is known for; the other kinds, which have the same calls in other states, with one.
THOROUGH = ["tcp", "tcp to TLS", "smtp"]
KINDS = ["tcp", "tcp to TLS", *MAIL, "http-proxy, CONNECT", "http-proxy, https", "client certificate on a token"]


@pytest.mark.parametrize("kind", KINDS)
def test_calls_that_fail_end_a_session_and_nothing_else(yett, authority, folder, port, kind):
    order = Order(folder / "order")
    script, tls, service, say, sections = kind_of(kind, authority, folder)
    with ScriptedServer(script, tls=tls) as server:
        running = Watched(yett, sections + f"[service in]\nlisten = 127.0.0.1:{port}\n" +
                          service.replace("PORT", str(server.port)) +
                          "handshake_timeout = 10s\nconnect_timeout = 10s\nidle_timeout = 4s\nhalf_close_timeout = 1s\n",
                          environment={**preloading(FAILING_CALLS), "YETT_FAILING_CALLS": str(folder / "order")})

        def session(patience=60):
            with connect(port, timeout=patience) as s:
                say(authority, s, server.port)

        session()
        carried_out = set()
        for name, (call, errors) in CALLS.items():
            for at in range(1, TIMES + 1):
                hit = False
                for error in errors if kind in THOROUGH else errors[:1]:
                    order.give(call, at, error)
                    with contextlib.suppress(OSError, AssertionError):  # this one may fail
                        session(5)
                    hit |= order.take_back()
                    session()  # the next one may not
                if not hit:
                    break
                carried_out.add(name)
        assert {"socket", "accept4", "connect", "read", "write"} <= carried_out
        assert running.running.workers() == running.worker
        wait_until(lambda: running.metrics()["connections_open"] == 0, "every session to end", 60)
