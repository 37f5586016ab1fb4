"""What a careless or hostile peer sends: one clear log line, a counter, the right alert or reply, and the process serves on."""
import contextlib
import os
import random
import socket
import struct
import time

import pytest
from conftest import connect
from peers import EchoServer, client_tls, free_port, wait_until


@pytest.fixture
def service(yett, authority, echo, port):
    running = yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                   f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n"
                   "handshake_timeout = 3s\n", settings="workers = 1\n")
    running.port = port
    running.first_worker = running.workers()
    yield running
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"serving on")
        assert s.recv(100) == b"serving on"
    assert running.workers() == running.first_worker  # the same process


def send(port, data):
    """Send and read to the end, whatever kind of end it is."""
    answer = b""
    with connect(port) as s:
        with contextlib.suppress(OSError):
            s.sendall(data)
            while more := s.recv(65536):
                answer += more
    return answer


def alert(answer):
    """The number of the TLS alert an answer ends with, or None."""
    return answer[6] if len(answer) == 7 and answer[0] == 21 else None


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


HELLOS = {
    "plain http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "sslv2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05"
                   b"\x00\x80\x06\x00\x40\x07\x00\xc0" + b"c" * 16,
    "sslv3 hello": b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00" + b"r" * 32 + b"\0\x00\x04\x00\x2f\x00\x0a\x01\x00",
    "an alert first": b"\x15\x03\x01\x00\x02\x02\x28",
    "application data first": b"\x17\x03\x03\x00\x05hello",
    "a record too long": b"\x16\x03\x01\xff\xff" + b"\1" * 70000,
    "an empty handshake record": b"\x16\x03\x01\x00\x00" * 5000,
    "no extensions": records(client_hello()),
    "64 KiB hello": records(client_hello(65000)),
    "a length beyond the limit": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"x" * 16380,
}


# Correct as far as they go: the server answers, and waits for what never comes.
GOOD_SO_FAR = ("no extensions", "64 KiB hello")


@pytest.mark.parametrize("name", HELLOS)
def test_hello(service, name):
    answer = send(service.port, HELLOS[name])
    assert b"HTTP/" not in answer
    if name in GOOD_SO_FAR:
        service.wait_for_counter("timeouts_handshake_total")
    else:
        service.wait_for_counter("handshakes_server_failed_total")
        assert answer == b"" or answer[0] == 21, answer[:100]  # nothing, or an alert
    ends = service.log_lines("session_ended")
    assert len(ends) == 1 and ends[0]["reason"], ends


def test_random_bytes(service):
    source = random.Random(7)
    for _ in range(200):
        send(service.port, source.randbytes(source.randrange(1, 5000)))
    wait_until(lambda: service.counter("handshakes_server_failed_total") + service.counter("timeouts_handshake_total")
               >= 200, "all of them to be counted")
    assert len(service.log()) < 200 * 2 * 1024  # bounded: a line or two of clipped text for each


def test_mutated_hellos(service):
    source = random.Random(8)
    good = bytearray(records(client_hello(40)))
    for _ in range(200):
        bad = bytearray(good)
        for _ in range(source.randrange(1, 6)):
            bad[source.randrange(len(bad))] = source.randrange(256)
        with connect(service.port) as s:
            s.sendall(bad)
            s.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while s.recv(65536):
                    pass


def test_one_byte_per_second(service):
    with connect(service.port) as s:
        hello = records(client_hello(40))
        s.settimeout(1)
        for byte in hello:
            s.sendall(bytes([byte]))
            try:
                if s.recv(100) == b"" or True:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    service.wait_for_counter("timeouts_handshake_total")


def test_a_silent_client(service):
    with connect(service.port) as s:
        assert s.recv(100) == b""  # ended by the handshake timeout
    service.wait_for_counter("timeouts_handshake_total")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_peer_that_vanishes_at_each_step(service, authority, how):
    """The client's side of a good handshake and exchange, cut after each of its bytes in turn (in steps)."""
    import ssl
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")

    def run(cut):
        nonlocal incoming, outgoing, tls
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_tls(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
        sent = 0
        with connect(service.port) as s:
            if how == "reset":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            steps = [tls.do_handshake, lambda: tls.write(b"x" * 100), lambda: tls.read(100), tls.unwrap]
            while steps:
                try:
                    steps[0]()
                    steps.pop(0)
                    want = False
                except ssl.SSLWantReadError:
                    want = True
                except ssl.SSLError:
                    return sent, True
                data = outgoing.read()
                part = data[:max(0, cut - sent)]
                s.sendall(part)
                sent += len(part)
                if len(part) < len(data) or sent >= cut:
                    return sent, True
                if want:
                    incoming.write(s.recv(65536))
        return sent, False

    cut, cuts = 1, 0
    while run(cut)[1]:
        cuts += 1
        cut += 37
        assert cut < 5000
    assert cuts > 10
    wait_until(lambda: service.counter("connections_open") == 0, "all sessions to end")


def target_service(yett, authority, target, port, extra=""):
    return yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def test_a_target_that_refuses(yett, authority, port):
    running = target_service(yett, authority, free_port(), port)
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        assert s.recv(100) == b""
    running.wait_for_counter("targets_failed_total")


def test_a_target_that_hangs_before_accepting(yett, authority, port):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        target = full.getsockname()[1]
        fillers = []
        for _ in range(4):  # fill the queue: further connections get no answer
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", target))
            fillers.append(s)
        running = target_service(yett, authority, target, port, "connect_timeout = 2s\n")
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            assert s.recv(100) == b""
        running.wait_for_counter("timeouts_connect_total")
        for s in fillers:
            s.close()


def test_a_tls_target_that_says_nothing(yett, authority, port):
    with EchoServer(mode="hang") as silent:
        running = yett(f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                       f"connect = localhost:{silent.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
                       "handshake_timeout = 2s\n")
        with contextlib.suppress(ConnectionResetError), connect(port) as s:
            assert s.recv(100) == b""
        running.wait_for_counter("timeouts_handshake_total")


def test_a_target_that_resets(yett, authority, port):
    with EchoServer(mode="reset") as target:
        running = target_service(yett, authority, target.port, port)
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            with contextlib.suppress(OSError):
                assert s.recv(100) == b""
        wait_until(lambda: running.counter("connections_open") == 0, "the session to end")


def test_an_idle_session_is_ended(yett, authority, echo, port):
    running = target_service(yett, authority, echo.port, port, "idle_timeout = 1s\n")
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        assert s.recv(1) == b""
    running.wait_for_counter("timeouts_idle_total")


def test_connections_beyond_the_limit_are_refused(yett, authority, echo, port):
    running = yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                   f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n"
                   "connections_per_address_max = 5\n", settings="workers = 1\n")
    held = []
    for _ in range(5):
        s = client_tls(authority).wrap_socket(connect(port), server_hostname="localhost")
        s.sendall(b"x")
        s.recv(1)
        held.append(s)
    with contextlib.suppress(OSError), connect(port) as s:
        assert s.recv(100) == b""
    running.wait_for_counter("connections_refused_limit_total")
    held.pop().close()
    wait_until(lambda: running.counter("connections_open") == 4, "one to end")
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"x")
        assert s.recv(1) == b"x"
    for s in held:
        s.close()


def test_running_out_of_descriptors_pauses_accepting(yett, authority, echo, port):
    import resource
    running = yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                   f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n",
                   settings="workers = 1\n")
    worker = running.workers()[0]
    used = len(os.listdir(f"/proc/{worker}/fd"))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 94, used + 94))  # 64 of them are reserved
    waiting = [connect(port) for _ in range(100)]
    running.wait_for_counter("accept_paused_total")
    time.sleep(2)  # accepting is tried again meanwhile, and finds nothing better
    assert running.log().count("accept_paused") == 1  # said once, not for each attempt
    for s in waiting:
        s.close()
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"going on")
        assert s.recv(100) == b"going on"
