"""What a careless or hostile client sends: one clear log line, a counter, the right alert or reply, and the process serves on.

A client that speaks HTTP to a TLS port gets the alert of any other that does not speak TLS, and no HTTP response: what waits
for TLS behind that port need not be HTTP at all.
"""
import json
import os
import random
import select
import socket
import ssl
import struct

import pytest
from bad_peers import Watched, is_alert, read_to_end, reset, tls_service
from conftest import connect
from peers import client_tls


@pytest.fixture
def web(yett, authority, echo, port):
    watched = Watched(yett, tls_service(authority, port, echo.port, "handshake_timeout = 3s\n"))
    watched.port = port
    yield watched
    watched.serves_on(authority, port)


def send(port, data):
    """Send and read to the end, whatever kind of end it is."""
    with connect(port) as s:
        try:
            s.sendall(data)
        except OSError:
            pass
        return read_to_end(s)[0]


def client_hello(extra_bytes=0):
    """A ClientHello of TLS 1.2 form with one big unknown extension."""
    extensions = struct.pack("!HH", 0xfafa, extra_bytes) + b"x" * extra_bytes if extra_bytes else b""
    suites = b"\x13\x01\xc0\x2b\xc0\x2f"
    body = b"\x03\x03" + os.urandom(32) + b"\0" + struct.pack("!H", len(suites)) + suites + b"\1\0" \
        + struct.pack("!H", len(extensions)) + extensions
    return b"\1" + struct.pack("!I", len(body))[1:] + body


def records(message, size=16384):
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(message[i:i + size])) + message[i:i + size]
                    for i in range(0, len(message), size))


SSL2_HELLO = (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05"
              b"\x00\x80\x06\x00\x40\x07\x00\xc0" + b"c" * 16)
SSL3_HELLO = b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + b"r" * 32 + b"\0\x00\x04\x00\x2f\x00\x0a\x01\x00"

# What is sent; the alert that comes back; the error and the reason in the log.
HELLOS = {
    "plain http": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "unexpected_message", "not_tls", "plain HTTP"),
    "plain smtp": (b"EHLO localhost\r\n", "unexpected_message", "not_tls", "plain SMTP"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "unexpected_message", "not_tls", "SSH"),
    "zeros": (b"\0" * 100, "unexpected_message", "not_tls", "not TLS"),
    "sslv2 hello": (SSL2_HELLO, "protocol_version", "ssl2_hello", "SSL 2"),
    "sslv3 hello": (SSL3_HELLO, "protocol_version", "no_common_version", "TLS version"),
    "an alert first": (b"\x15\x03\x01\x00\x02\x02\x28", None, "alert_received_handshake_failure", "handshake_failure"),
    "application data first": (b"\x17\x03\x03\x00\x05hello", "unexpected_message", "not_tls", "not TLS"),
    "a record too long": (b"\x16\x03\x01\xff\xff" + b"\1" * 70000, "record_overflow", "SSL_ERROR_RX_RECORD_TOO_LONG",
                          "longer than TLS allows"),
    "empty records": (b"\x16\x03\x01\x00\x00" * 5000, "unexpected_message", "handshake_flood", "of no use"),
    "a length beyond the limit": (records(b"\x01\xff\xff\xff" + b"x" * 16380), "illegal_parameter", None, "."),
    "no suite in common": (records(client_hello().replace(b"\x13\x01\xc0\x2b\xc0\x2f", b"\x00\x2f\x00\x35\x00\x05")),
                           "handshake_failure", "no_common_cipher", "none of the cipher suites"),
}


@pytest.mark.parametrize("name", HELLOS)
def test_hello_that_is_none(web, name):
    data, alert, error, reason = HELLOS[name]
    answer = send(web.port, data)
    assert is_alert(answer, alert) if alert else answer == b"", answer
    web.one_line("client_tls_failed", "tls_failed", "handshakes_server_failed_total", reason, error)


def test_proxy_header_that_nobody_expects(web):
    answer = send(web.port, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
    assert is_alert(answer, "unexpected_message"), answer
    web.one_line("proxy_header_refused", "proxy_unexpected", "proxy_headers_refused_total", "not expected here", "not_tls")


# Correct as far as they go: the server answers, and waits for what never comes.
@pytest.mark.parametrize("hello", [client_hello(), client_hello(65000)], ids=["without extensions", "of 64 KiB"])
def test_hello_and_nothing_more(web, hello):
    with connect(web.port) as s:
        s.sendall(records(hello))
        assert s.recv(1)[0] == 22  # a handshake record
        read_to_end(s)
    web.one_line("client_timeout", "timeout_client", "timeouts_handshake_total", "not ready in time")


def test_hello_of_one_byte_per_second(web):
    hello = records(client_hello(40))
    with connect(web.port) as s:
        s.settimeout(1)
        for byte in hello:
            try:
                s.sendall(bytes([byte]))
                answer = s.recv(100)
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b""
            break
        assert answer == b"", "no alert says that time is up (RFC 8446 section 6): only the end does"
    web.one_line("client_timeout", "timeout_client", "timeouts_handshake_total", r"not ready in time \(client_tls\)")


def test_silence(web):
    with connect(web.port) as s:
        assert read_to_end(s) == (b"", True)
    web.one_line("client_timeout", "timeout_client", "timeouts_handshake_total")


def test_random_bytes(web):
    source = random.Random(7)
    for _ in range(200):
        data = source.randbytes(source.randrange(1, 5000))
        send(web.port, data if data[0] != 22 else b"\0" + data)
    written = web.accounted_for(200)
    assert web.rose("sessions_failed_total") == 200
    assert web.rose("handshakes_server_failed_total") + web.rose("timeouts_handshake_total") == 200
    assert all(x["reason"] for x in written)


def test_mutated_hellos(web):
    source = random.Random(8)
    good = records(client_hello(40))
    for _ in range(200):
        bad = bytearray(good)
        for _ in range(source.randrange(1, 6)):
            bad[source.randrange(len(bad))] = source.randrange(256)
        with connect(web.port) as s:
            s.sendall(bad)
            s.shutdown(socket.SHUT_WR)
            read_to_end(s)
    web.accounted_for(200)
    assert web.rose("sessions_failed_total") == 200


# ---- clients that vanish ----

@pytest.mark.parametrize("how", ["fin", "rst"])
def test_client_that_vanishes_after_each_byte_of_its_hello(web, how):
    hello = records(client_hello(40))
    for size in range(1, len(hello)):  # one that says nothing is nobody's concern
        s = connect(web.port)
        s.sendall(hello[:size])
        if how == "rst":
            reset(s)
        else:
            with s:
                s.shutdown(socket.SHUT_WR)
                assert read_to_end(s)[0] == b""
    written = web.accounted_for(len(hello) - 1)
    assert web.rose("handshakes_server_failed_total") == len(hello) - 1
    want = {"fin": {"closed_in_handshake"}, "rst": {"ECONNRESET", "closed_in_handshake"}}[how]
    assert {x["error"] for x in written} <= want, written
    assert all(x["event"] == "client_tls_failed" and x["reason"] for x in written)


def exchange(port, authority, limit, leave):
    """A good handshake and exchange of which only the first `limit` bytes of the client's side are sent. Whether it was cut."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    steps = [tls.do_handshake, lambda: tls.write(b"x" * 100), lambda: tls.read(100), tls.unwrap]
    s, sent = connect(port), 0
    with s:
        while steps:
            try:
                steps[0]()
                steps.pop(0)
                wants_more = False
            except ssl.SSLWantReadError:
                wants_more = True
            data = outgoing.read()
            s.sendall(data[:limit - sent])
            sent += len(data[:limit - sent])
            if sent == limit:
                leave(s)
                return True
            if wants_more:
                incoming.write(s.recv(65536))
    return False


@pytest.mark.parametrize("leave", [lambda s: s.close(), reset], ids=["fin", "rst"])
def test_client_that_vanishes_anywhere_in_a_good_exchange(web, authority, leave):
    limit, connections = 1, 0
    while exchange(web.port, authority, limit, leave):
        limit, connections = limit + 17, connections + 1
    assert connections > 30
    ends = {x["end"] for x in web.accounted_for(connections + 1)}
    # In its handshake; while it is connected to its target; then a connection that broke, or lacked its close_notify.
    assert {"tls_failed", "closed"} <= ends <= {"tls_failed", "client_left", "truncated", "reset", "closed"}, ends
    assert web.rose("handshakes_server_failed_total") > 0 and web.rose("truncations_total") + web.rose("resets_total") > 0
    assert web.rose("sessions_failed_total") == web.rose("handshakes_server_failed_total")


# ---- what a flood costs ----

def test_flood_costs_a_bounded_number_of_lines_and_hides_no_good_session(web, authority):
    flood, good = 400, 20
    for i in range(flood):
        assert is_alert(send(web.port, b"GET / HTTP/1.1\r\n\r\n"), "unexpected_message")
        if i % (flood // good) == 0:
            with client_tls(authority).wrap_socket(connect(web.port), server_hostname="localhost") as s:
                s.sendall(b"x")
                assert s.recv(1) == b"x"
                s.unwrap()
    written = web.accounted_for(flood + good)
    assert sum(x["event"] == "session_ended" and x["end"] == "closed" for x in written) == good
    assert web.rose("sessions_failed_total") == flood
    by_second = {}
    for x in written:
        if x["event"] == "client_tls_failed":
            by_second[x["time"][:19]] = by_second.get(x["time"][:19], 0) + 1
    # 10 of one source in a second of the guard's clock; one of the log's clock may have parts of two.
    assert max(by_second.values()) <= 20, by_second
    assert any(x["event"] == "log_suppressed" and x["suppressed_event"] == "client_tls_failed" for x in web.lines())


def test_who_was_served_is_told_of_however_it_ended(web, authority):
    """A client that is let in must not hide who it was, or who else was, behind broken ends of its own."""
    count = 60
    for _ in range(count):
        with client_tls(authority).wrap_socket(connect(web.port), server_hostname="localhost") as s:
            s.sendall(b"x")
            assert s.recv(1) == b"x"
            os.write(s.fileno(), b"no record\r\n" * 4)
            while select.select([s.fileno()], [], [], 20)[0] and os.read(s.fileno(), 4096):
                pass
    written = web.accounted_for(count)
    assert [x["event"] for x in written] == ["relay_tls_failed"] * count


def test_bad_clients_hold_a_bounded_amount_of_memory(web):
    """Each of these sends all it can of a handshake that never ends."""
    held = [connect(web.port) for _ in range(50)]
    for s in held:
        s.setblocking(False)
        try:
            while s.send(records(b"\x01\x01\xff\xff" + b"x" * 131071)):
                pass
        except (BlockingIOError, ConnectionError):
            pass
    shown = json.loads(web.running.command("connections", "--json").stdout)["connections"]
    assert all(x["memory_bytes"] <= x["memory_bytes_max"] for x in shown)
    for s in held:
        s.close()
    web.accounted_for(50)
