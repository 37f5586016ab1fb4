"""What a session costs may not be had: descriptors, sockets, threads. Each call of a session fails once, at each of its times;
that session may fail, and be told; the worker, every other session and the counters go on."""
import contextlib
import errno
import mmap
import struct

import pytest
from bad_peers import Watched
from conftest import FAILING_CALLS, connect, preloading
from peers import ScriptedServer, client_tls, server_tls, wait_until

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


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def mail_server(connection):
    connection.sendall(b"220 mx\r\n")
    lines = connection.makefile("rb")
    for line in lines:
        connection.sendall(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 OK\r\n")
        if line.startswith(b"QUIT"):
            return


def say_through_tls(authority, s):
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"hello")
        assert t.recv(100) == b"hello"


def say_plain(authority, s):
    s.sendall(b"hello")
    assert s.recv(100) == b"hello"


def say_mail(authority, s):
    lines = s.makefile("rb")
    assert lines.readline().startswith(b"220 ")
    s.sendall(b"EHLO a\r\n")
    while lines.readline()[3:4] == b"-":
        pass
    s.sendall(b"STARTTLS\r\n")
    assert lines.readline().startswith(b"220 ")
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"EHLO a\r\nQUIT\r\n")
        heard = b""
        while more := t.recv(100):
            heard += more
        assert heard.endswith(b"221 bye\r\n"), heard


def say_connect(authority, s, target):
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
        t.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
        heard = b""
        while not heard.endswith(b"\r\n\r\n"):
            more = t.recv(100)
            assert more, heard
            heard += more
        assert b" 200 " in heard.partition(b"\r\n")[0], heard
        t.sendall(b"hello")
        assert t.recv(100) == b"hello"


KINDS = ["TLS to plain", "plain to TLS", "SMTP with STARTTLS", "http-proxy"]


@pytest.mark.parametrize("kind", KINDS)
def test_calls_that_fail_end_a_session_and_nothing_else(yett, authority, folder, port, kind):
    order = Order(folder / "order")
    tls_server = server_tls(authority.localhost) if kind.endswith("to TLS") else None
    with ScriptedServer(mail_server if "SMTP" in kind else echo, tls=tls_server) as server:
        trust = f"trust = file:{authority.cert}\nrevocation = off\n"
        configuration, say = {
            "TLS to plain": (f"protocol = tcp\nlisten_tls = implicit\nidentity = file:{authority.localhost.pem}\n"
                             f"connect = 127.0.0.1:{server.port}\nconnect_tls = none\n", say_through_tls),
            "plain to TLS": (f"protocol = tcp\nlisten_tls = none\nconnect = localhost:{server.port}\n"
                             f"connect_tls = implicit\n{trust}", say_plain),
            "SMTP with STARTTLS": (f"protocol = smtp\nlisten_tls = starttls\nidentity = file:{authority.localhost.pem}\n"
                                   f"connect = 127.0.0.1:{server.port}\nconnect_tls = none\n", say_mail),
            "http-proxy": (f"protocol = http-proxy\nlisten_tls = implicit\nidentity = file:{authority.localhost.pem}\n"
                           f"allow_target = localhost:{server.port}, 127.0.0.0/8:{server.port}\n",
                           lambda a, s: say_connect(a, s, server.port)),
        }[kind]
        running = Watched(yett, f"[service in]\nlisten = 127.0.0.1:{port}\n{configuration}"
                          "handshake_timeout = 10s\nconnect_timeout = 10s\nidle_timeout = 4s\nhalf_close_timeout = 1s\n",
                          environment={**preloading(FAILING_CALLS), "YETT_FAILING_CALLS": str(folder / "order")})

        def session(patience=60):
            with connect(port, timeout=patience) as s:
                say(authority, s)

        session()
        carried_out = set()
        for name, (call, errors) in CALLS.items():
            for at in range(1, TIMES + 1):
                hit = False
                for error in errors:
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
