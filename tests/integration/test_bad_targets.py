"""Targets that refuse, hang, reset, or go away at any step: the client is told as its protocol has it, and there is one line."""
import contextlib
import os
import signal
import socket
import ssl
import threading

import pytest
from bad_peers import Watched, read_to_end, reset, tls_service
from conftest import HANGING_RESOLVER, connect, preloading
from peers import PATIENCE, EchoServer, ScriptedServer, client_tls, free_port, server_tls, wait_until

SMTP_DOWN = b"421 4.3.2 mx.test No server answers, try again later\r\n"  # RFC 5321 section 3.8, RFC 3463
SMTP_LATE = b"421 4.3.2 mx.test No server answers in time, try again later\r\n"
SMTP_NO_TLS = b"421 4.7.0 mx.test The server offers no TLS\r\n"
SMTP_UNWILLING = b"421 4.3.2 mx.test The server does not want to serve now, try again later\r\n"
SMTP_SPEECH = b"421 4.3.0 mx.test The server's answer is not understood\r\n"
SMTP_BAD_TLS = b"421 4.7.0 mx.test The server's TLS cannot be trusted\r\n"
IMAP_DOWN = b"* BYE [UNAVAILABLE] No server answers, try again later\r\n"  # RFC 5530 section 3
IMAP_BAD_TLS = b"* BYE [PRIVACYREQUIRED] The server's TLS cannot be trusted\r\n"


def connecting(protocol, authority, port, target, extra="", connect_tls=None):
    connect_tls = connect_tls or ("implicit" if protocol == "tcp" else "starttls")
    return (f"[service out]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = none\ngreeting_name = mx.test\n"
            f"connect = localhost:{target}\nconnect_tls = {connect_tls}\ntrust = file:{authority.cert}\n{extra}")


def hear(port):
    """Say nothing; what comes, and whether it ended with FIN."""
    try:
        s = connect(port)
    except ConnectionResetError:  # all was over, by a reset, before connect() came to look
        return b"", False
    with s:
        return read_to_end(s)


@contextlib.contextmanager
def full_backlog():
    """A port whose connections are never answered."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", full.getsockname()[1]))
            fillers.append(s)
        yield full.getsockname()[1]
        for s in fillers:
            s.close()


def leave(s, how):
    if how == "rst":
        reset(s)
    else:
        s.close()


# ---- before anything is said ----

def test_target_that_refuses(yett, authority, port):
    watch = Watched(yett, tls_service(authority, port, free_port()))
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        assert read_to_end(s) == (b"", True)  # with close_notify: ssl would raise without it
    line = watch.one_line("target_failed", "target_failed", "targets_failed_total", "connection refused")
    assert line["client_tls"].startswith("TLSv1.3") and line["target"]


def test_target_that_refuses_a_plain_client(yett, authority, port):
    """Nothing can be said in no protocol: RST, as a closed port would answer, and no FIN, which would be a good end."""
    watch = Watched(yett, connecting("tcp", authority, port, free_port()))
    assert hear(port) == (b"", False)
    watch.one_line("target_failed", "target_failed", "targets_failed_total", "refused")


@pytest.mark.parametrize("protocol, answer", [("smtp", SMTP_DOWN), ("imap", IMAP_DOWN)])
def test_target_that_refuses_in_the_words_of_the_protocol(yett, authority, port, protocol, answer):
    watch = Watched(yett, connecting(protocol, authority, port, free_port()))
    assert hear(port) == (answer, True)
    watch.one_line("target_failed", "target_failed", "targets_failed_total", "refused")


def test_target_that_hangs_before_accepting(yett, authority, port):
    with full_backlog() as target:
        watch = Watched(yett, connecting("smtp", authority, port, target, "connect_timeout = 1s\n"))
        assert hear(port) == (SMTP_LATE, True)
        watch.one_line("target_failed", "timeout_connect", "timeouts_connect_total", "within connect_timeout")


def test_target_that_hangs_before_accepting_is_a_gateway_timeout(yett, port):
    with full_backlog() as target:
        watch = Watched(yett, f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                              f"allow_target = 127.0.0.0/8:{target}\nconnect_timeout = 1s\n")
        with connect(port) as s:
            s.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (target, target))
            answer, _ = read_to_end(s)
        assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n") and b"\r\nConnection: close\r\n" in answer
        watch.one_line("target_failed", "timeout_connect", "timeouts_connect_total", "within connect_timeout")


# ---- STARTTLS ----

def lines_of(connection, count):
    said = b""
    while said.count(b"\r\n") < count:
        more = connection.recv(4096)
        if not more:
            return
        said += more


# What a server says, one step after each line of ours.
CONVERSATIONS = {
    "smtp": [b"220 mx ESMTP\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"],
    "imap": [b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"],  # the tag of what comes next is ours to choose
}


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("protocol, answer", [("smtp", SMTP_DOWN), ("imap", IMAP_DOWN)])
def test_target_that_vanishes_at_each_step_of_starttls(yett, authority, port, protocol, answer, how):
    """After each step, and in the middle of its line. After the go-ahead it is TLS that fails."""
    cuts = [b""]
    for step in CONVERSATIONS[protocol]:
        cuts += [cuts[-1] + step[:len(step) // 2], cuts[-1] + step]
    current = [b""]

    def script(connection):
        said = 0
        for step in CONVERSATIONS[protocol]:
            part = current[0][said:said + len(step)]
            connection.sendall(part)
            said += len(part)
            if len(part) < len(step):
                break
            if said < len(current[0]):
                lines_of(connection, 1)
        leave(connection, how)

    with ScriptedServer(script) as server:
        watch = Watched(yett, connecting(protocol, authority, port, server.port))
        for cut in cuts:
            current[0] = cut
            got, _ = hear(port)
            if cut == b"".join(CONVERSATIONS["smtp"]):
                assert got == SMTP_BAD_TLS
                watch.one_line("target_tls_failed", "target_tls_failed", "handshakes_client_failed_total")
            else:
                assert got == answer, cut
                # RST that comes before anybody looks at connect()'s answer is a connection that could not be made: where the
                # target waits for nothing of ours it may be as fast as that.
                unasked = len(cut) <= len(CONVERSATIONS[protocol][0])
                ends = ("target_left", "target_failed") if how == "rst" and unasked else "target_left"
                watch.one_line("target_failed", ends, "targets_failed_total", "closed the connection|connection reset")


STARTTLS_ANSWERS = {
    "no starttls": (b"220 mx\r\n", b"250 mx\r\n", b"", SMTP_NO_TLS, "target_no_starttls", "STARTTLS",
                    "negotiations_failed_total"),
    "refused": (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"454 4.7.0 not now\r\n", SMTP_NO_TLS,
                "target_refused_starttls", "454", "negotiations_failed_total"),
    "injected": (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n250 evil\r\n", SMTP_SPEECH,
                 "target_protocol_error", "plain text", "injections_refused_total"),
    "a greeting of 554": (b"554 go away\r\n", b"", b"", SMTP_UNWILLING, "target_unwilling", "554",
                          "negotiations_failed_total"),
    "421 for ehlo": (b"220 mx\r\n", b"421 stopping\r\n", b"", SMTP_UNWILLING, "target_goodbye", "421",
                     "negotiations_failed_total"),
    "an endless line": (b"220 " + b"x" * 100000, b"", b"", SMTP_SPEECH, "target_protocol_error", "too long",
                        "negotiations_failed_total"),
    "imap instead": (b"* OK hi\r\n", b"", b"", SMTP_SPEECH, "target_protocol_error", ".", "negotiations_failed_total"),
    "tls at once": (b"\x16\x03\x03\0\x04", b"", b"", SMTP_SPEECH, "target_protocol_error", "connect_tls should be implicit",
                    "negotiations_failed_total"),
}


@pytest.mark.parametrize("name", STARTTLS_ANSWERS)
def test_target_that_answers_starttls_wrongly(yett, authority, port, name):
    *said, answer, end, reason, counter = STARTTLS_ANSWERS[name]

    def script(connection):
        for step in said:
            connection.sendall(step)
            lines_of(connection, 1)

    with ScriptedServer(script) as server:
        watch = Watched(yett, connecting("smtp", authority, port, server.port))
        assert hear(port) == (answer, True)
        watch.one_line("target_failed", end, counter, reason)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_target_that_hangs_in_starttls(yett, authority, port, steps):
    done = threading.Event()

    def script(connection):
        for step in CONVERSATIONS["smtp"][:steps]:
            connection.sendall(step)
            lines_of(connection, 1)
        done.wait(60)

    with ScriptedServer(script) as server:
        watch = Watched(yett, connecting("smtp", authority, port, server.port, "handshake_timeout = 1s\n"))
        assert hear(port) == (SMTP_LATE, True)
        watch.one_line("target_failed", "timeout_target", "timeouts_handshake_total",
                       "target_tls" if steps == 3 else "target_negotiate")
        done.set()


# ---- TLS ----

class FlightCutter:
    """A TLS server of which the client gets only the first `limit` bytes; then it leaves."""

    def __init__(self, certificate, how):
        self.context, self.how, self.limit, self.left = server_tls(certificate), how, 0, False

    def __call__(self, connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        steps, sent, self.left = [tls.do_handshake, lambda: tls.write(b"x" * 300)], 0, False
        if self.how == "rst":  # not before the other side has seen that it is connected
            connection.recv(1, socket.MSG_PEEK)
        while steps:
            wants_more = False
            try:
                steps[0]()
                steps.pop(0)
            except ssl.SSLWantReadError:
                wants_more = True
            data = outgoing.read()[:self.limit - sent]
            connection.sendall(data)
            sent += len(data)
            if sent == self.limit:
                self.left = True
                break
            if wants_more:
                more = connection.recv(65536)
                if not more:
                    return
                incoming.write(more)
        leave(connection, self.how)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_target_that_vanishes_anywhere_in_its_handshake(yett, authority, port, how):
    """From the accept on, through its ServerHello and certificate, to data. Every session is one line, or counted."""
    cutter = FlightCutter(authority.localhost, how)
    with ScriptedServer(cutter) as server:
        watch = Watched(yett, connecting("tcp", authority, port, server.port))
        connections = 0
        for cutter.limit in range(0, 3000, 37):
            hear(port)
            connections += 1
        written = watch.accounted_for(connections)
        assert not cutter.left  # the last one was whole
        assert {x["end"] for x in written} <= {"target_tls_failed", "truncated", "reset"}, written
        assert all(x["reason"] for x in written)
        assert watch.rose("handshakes_client_failed_total") == watch.rose("sessions_failed_total") > 20
        assert watch.rose("handshakes_client_failed_total") + watch.rose("truncations_total") + watch.rose("resets_total") \
            == connections


def test_target_that_vanishes_in_its_server_hello(yett, authority, port):
    cutter = FlightCutter(authority.localhost, "fin")
    cutter.limit = 30
    with ScriptedServer(cutter) as server:
        watch = Watched(yett, connecting("smtp", authority, port, server.port, connect_tls="implicit"))
        assert hear(port) == (SMTP_BAD_TLS, True)
        watch.one_line("target_tls_failed", "target_tls_failed", "handshakes_client_failed_total",
                       "during the TLS handshake", "closed_in_handshake")


@pytest.mark.parametrize("greeting, reason", [
    (b"220 mx ESMTP\r\n", "plain SMTP: connect_tls should be starttls"),
    (b"* OK hi\r\n", "plain IMAP: connect_tls should be starttls"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "plain HTTP"),
    (b"\0" * 100, "not TLS"),
])
def test_target_that_does_not_speak_tls(yett, authority, port, greeting, reason):
    with ScriptedServer(lambda connection: (connection.sendall(greeting), connection.recv(4096))) as server:
        watch = Watched(yett, connecting("tcp", authority, port, server.port))
        assert hear(port) == (b"", False)
        watch.one_line("target_tls_failed", "target_tls_failed", "handshakes_client_failed_total", reason, "not_tls")


def test_tls_target_that_says_nothing(yett, authority, port):
    with EchoServer(mode="hang") as silent:
        watch = Watched(yett, connecting("tcp", authority, port, silent.port, "handshake_timeout = 1s\n"))
        assert hear(port) == (b"", False)
        watch.one_line("target_failed", "timeout_target", "timeouts_handshake_total", r"not ready in time \(target_tls\)")


# ---- once both are connected ----

def test_target_that_hangs_after_its_handshake(yett, authority, port):
    done = threading.Event()

    def script(connection):
        with server_tls(authority.localhost).wrap_socket(connection, server_side=True):
            done.wait(60)

    with ScriptedServer(script) as server:
        watch = Watched(yett, connecting("tcp", authority, port, server.port, "idle_timeout = 1s\n"))
        assert hear(port) == (b"", True)
        watch.one_line("session_ended", "timeout_idle", "timeouts_idle_total", "idle_timeout")
        done.set()


@pytest.mark.parametrize("said", [b"", b"x" * 100000], ids=["after its handshake", "in its data"])
@pytest.mark.parametrize("how, end, counter", [("fin", "truncated", "truncations_total"), ("rst", "reset", "resets_total")])
def test_tls_target_that_vanishes_in_the_relay(yett, authority, port, how, end, counter, said):
    def script(connection):
        tls = server_tls(authority.localhost).wrap_socket(connection, server_side=True)
        tls.recv(1)
        tls.sendall(said)
        if how == "rst":
            while tls.recv(4096) != b"!":  # all has come: RST takes what has not
                pass
        leave(tls, how)

    with ScriptedServer(script) as server:
        watch = Watched(yett, connecting("tcp", authority, port, server.port))
        with connect(port) as s:
            s.sendall(b"?")
            got = b""
            while len(got) < len(said):
                got += s.recv(65536)
            if how == "rst":
                s.sendall(b"!")
            assert read_to_end(s) == (b"", False)  # RST: nobody may take a part for the whole
        line = watch.one_line("session_ended", end, counter, "target")
        assert line["sent_bytes"] == len(said)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_plain_target_that_vanishes_in_the_relay(yett, authority, port, how):
    def script(connection):
        connection.recv(1)
        leave(connection, how)

    with ScriptedServer(script) as server:
        watch = Watched(yett, tls_service(authority, port, server.port))
        s = client_tls(authority).wrap_socket(connect(port), server_hostname="localhost", suppress_ragged_eofs=False)
        with s:
            s.sendall(b"?")
            if how == "fin":
                assert s.recv(100) == b""  # close_notify
                s.unwrap()
            else:
                with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
                    s.recv(100)
        if how == "fin":
            watch.one_line("session_ended", "closed")
        else:
            watch.one_line("session_ended", "reset", "resets_total", "the target's connection broke", "ECONNRESET")


def test_data_and_reset_at_once_are_no_good_end(yett, authority, port):
    """What came before RST is still there to be read; the event loop's library then makes an EOF of the rest."""
    go, gone = threading.Event(), threading.Event()

    def script(connection):
        connection.recv(1)
        go.wait(60)
        connection.sendall(b"half of it")
        reset(connection)
        gone.set()

    with ScriptedServer(script) as server:
        watch = Watched(yett, tls_service(authority, port, server.port))
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost", suppress_ragged_eofs=False) as s:
            s.sendall(b"?")
            wait_until(lambda: watch.rose("client_received_bytes_total") == 1, "the relay")
            os.kill(watch.worker[0], signal.SIGSTOP)
            go.set()
            assert gone.wait(60)
            os.kill(watch.worker[0], signal.SIGCONT)
            with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
                while s.recv(100):
                    pass
        watch.one_line("session_ended", "reset", "resets_total", "the target's connection broke", "ECONNRESET")


def test_target_that_never_ends_after_the_client_has(yett, authority, port):
    with EchoServer(mode="hang") as target:
        watch = Watched(yett, tls_service(authority, port, target.port, "half_close_timeout = 1s\n"))
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            s.sendall(b"x")
            with contextlib.suppress(OSError):
                s.unwrap()
        watch.one_line("session_ended", "timeout_half_close", "timeouts_half_close_total", "did not end in time")


def test_client_that_leaves_while_its_target_is_reached(yett, authority, port):
    with full_backlog() as target:
        watch = Watched(yett, tls_service(authority, port, target, "connect_timeout = 60s\n"))
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost"):
            wait_until(lambda: watch.rose("handshakes_server_total") == 1, "the handshake")
        watch.one_line("session_ended", "client_left", "clients_left_total", r"\(connect\)")


# ---- a name server that does not answer ----

def with_hanging_resolver():
    """An environment in which names that begin with "hang." are looked up for ever."""
    return preloading(HANGING_RESOLVER)


def hanging(port, extra=""):
    return (f"[service hang]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\ngreeting_name = mx.test\n"
            f"connect = hang.test:25\nconnect_tls = starttls\n{extra}")


def test_name_server_that_hangs_costs_the_connect_timeout_and_no_other_service(yett, authority, echo, port):
    """More lookups hang than one service may have at a time: those of another service still come through."""
    out, lookups = free_port(), 20
    watch = Watched(yett, hanging(port, "connect_timeout = 1s\n")
                    + tls_service(authority, out, echo.port).replace("connect = 127.0.0.1", "connect = localhost"),
                    environment=with_hanging_resolver())
    held = [connect(port) for _ in range(lookups)]
    with client_tls(authority).wrap_socket(connect(out), server_hostname="localhost") as s:
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        s.unwrap()
    for s in held:
        with s:
            assert read_to_end(s) == (SMTP_LATE, True)
    written = watch.accounted_for(lookups + 1)
    assert {x["end"] for x in written} == {"timeout_connect", "closed"}
    assert watch.rose("timeouts_connect_total") == lookups
    watch.serves_on(authority, out)


def test_names_that_hang_hold_up_who_asks_for_them_and_no_other_client(yett, echo, port):
    """A client of a proxy chooses the names, and so whose name server is asked: with more of them than may be looked up at a
    time for a service it waits for itself, and another client goes through meanwhile."""
    watch = Watched(yett, f"[service proxy]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                          f"allow_target = *:443, localhost:{echo.port}, 127.0.0.0/8:{echo.port}, [::1]:{echo.port}\n"
                          f"connect_timeout = 60s\n", environment=with_hanging_resolver())
    held = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=("127.0.0.11", 0))
            for _ in range(20)]
    for n, s in enumerate(held):
        s.sendall(b"CONNECT hang.%d.test:443 HTTP/1.1\r\nHost: hang.%d.test:443\r\n\r\n" % (n, n))
    wait_until(lambda: watch.rose("connections_total") == len(held), "those that wait")
    with connect(port) as s:
        s.sendall(b"CONNECT localhost:%d HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (echo.port, echo.port))
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    for s in held:
        s.close()


@pytest.mark.parametrize("waits", [True, False], ids=["while a client waits", "after it was given up"])
def test_name_server_that_hangs_does_not_hold_up_the_end(yett, port, waits):
    watch = Watched(yett, hanging(port, f"connect_timeout = {'60s' if waits else '1s'}\n"),
                    settings="drain_timeout = 1s\n", environment=with_hanging_resolver())
    with connect(port) as s:
        if waits:
            wait_until(lambda: watch.rose("connections_total") == 1, "the session")
        else:
            assert read_to_end(s) == (SMTP_LATE, True)
        watch.running.stop()  # it must end by itself and say 0
        if waits:
            assert read_to_end(s) == (b"421 4.3.2 mx.test Shutting down\r\n", True)
    lines = [x for x in watch.lines() if "end" in x]
    assert [x["end"] for x in lines] == ["shutdown" if waits else "timeout_connect"], lines
    assert not watch.running.log_lines("worker_died")
    assert watch.running.log_lines("loop_not_empty")  # said by a worker that ends by itself, and not by one that is killed
