"""What is said when there is no more room: descriptors, and places in the handshake pool."""
import contextlib
import os
import resource
import signal
import socket
import ssl
import time

import pytest
from bad_peers import Watched, is_alert, read_to_end, tls_service
from conftest import SLOW_TOKEN, connect
from peers import EchoServer, client_tls, server_tls, wait_until


def test_running_out_of_descriptors_pauses_accepting(yett, authority, echo, port):
    watch = Watched(yett, tls_service(authority, port, echo.port))
    worker = watch.worker[0]
    used = len(os.listdir(f"/proc/{worker}/fd"))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 94, used + 94))  # 64 of them are reserved
    waiting = [connect(port) for _ in range(100)]
    watch.running.wait_for_counter("accept_paused_total")
    time.sleep(2)  # accepting is tried again meanwhile, and finds nothing better
    assert watch.running.log().count("accept_paused") == 1  # said once, not for each attempt
    for s in waiting:
        s.close()
    watch.accounted_for(100, silent=100)
    # Nor is one shortage taken for many because a session's end made room for one more.
    assert len(watch.running.log_lines("accept_paused")) == watch.rose("accept_paused_total") == 1
    watch.serves_on(authority, port)


# ---- the handshake pool ----

QUEUE = 2
HELLOS = 60  # more than threads and queue have room for


@pytest.fixture
def stuck(token, folder):
    """A token module that hangs while a file is there, and the setting that makes the pool's queue short."""
    hang = folder / "hang"
    hang.write_text("")
    yield hang, token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_HANG_FILE=hang)
    hang.unlink(missing_ok=True)


def token_service(uri, port, target, extra=""):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nidentity = {uri}\n"
            f"connect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def hello_of_openssl():
    """One that a server answers with a signature."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_full_pool_is_told_with_an_alert_and_serves_on(yett, authority, token, stuck, echo, port):
    hang, settings = stuck
    uri = token.put(authority.localhost, "server")
    watch = Watched(yett, settings + token_service(uri, port, echo.port, "handshake_timeout = 60s\n"),
                    settings=f"handshake_queue_max = {QUEUE}\n")
    hello = hello_of_openssl()
    silent = [connect(port) for _ in range(HELLOS)]  # they take nobody's place
    held = [connect(port) for _ in range(HELLOS)]
    for s in held:
        s.sendall(hello)
    wait_until(lambda: watch.rose("handshake_queue_refused_total") > 0, "the pool to be full", 60)
    wait_until(lambda: watch.rose("handshake_queue_refused_total") + watch.metrics()["handshake_queue_waiting"] == HELLOS,
               "every hello to wait or to be refused", 60)
    wait_until(lambda: watch.rose("sessions_failed_total") == watch.rose("handshakes_server_failed_total")
               == watch.rose("handshake_queue_refused_total"), "all who were refused to end", 60)
    lines = [x for x in watch.lines() if "end" in x]
    assert lines and {(x["event"], x["end"], x["error"]) for x in lines} == \
        {("client_tls_failed", "overload", "handshake_queue_full")}, lines
    assert all("too many handshakes wait for the token" in x["reason"] for x in lines)

    hang.unlink()
    alerts = answered = 0
    for s in held:
        with s:
            first = s.recv(7)
            if first[0] == 21:
                assert is_alert(first + read_to_end(s)[0], "internal_error")  # RFC 8446 section 6.2
                alerts += 1
            else:
                assert first[0] == 22
                answered += 1
    refused = watch.rose("handshake_queue_refused_total")  # the last of them may not have been, before
    assert (alerts, answered) == (refused, HELLOS - refused) and answered > QUEUE
    for s in silent:
        s.close()
    watch.accounted_for(2 * HELLOS, silent=HELLOS)
    watch.serves_on(authority, port)


def test_token_that_hangs_until_the_deadline(yett, authority, token, stuck, echo, port):
    hang, settings = stuck
    uri = token.put(authority.localhost, "server")
    watch = Watched(yett, settings + token_service(uri, port, echo.port, "handshake_timeout = 1s\n"))
    with connect(port) as s:
        s.sendall(hello_of_openssl())
        assert is_alert(read_to_end(s)[0], "internal_error")
    watch.one_line("client_timeout", "timeout_client", "timeouts_handshake_total", "client_tls")
    hang.unlink()
    watch.serves_on(authority, port)


def test_full_pool_is_told_in_the_words_of_the_protocol(yett, authority, token, stuck, port):
    """Here the key is for the target's side, and the client speaks plain SMTP."""
    hang, settings = stuck
    uri = token.put(authority.alice, "alice")
    with EchoServer(tls=server_tls(authority.localhost, authority)) as target:
        watch = Watched(yett, settings + f"[service out]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                        f"greeting_name = mx.test\nconnect = localhost:{target.port}\nconnect_tls = implicit\n"
                        f"trust = file:{authority.cert}\nidentity = {uri}\nhandshake_timeout = 60s\n",
                        settings="handshake_queue_max = 1\n")
        held = [connect(port) for _ in range(HELLOS)]
        wait_until(lambda: watch.rose("handshake_queue_refused_total") > 0, "the pool to be full", 60)
        wait_until(lambda: watch.rose("handshake_queue_refused_total") + watch.metrics()["handshake_queue_waiting"] == HELLOS,
                   "every connection to wait or to be refused", 60)
        lines = [x for x in watch.lines() if "end" in x]
        assert {(x["event"], x["end"], x["error"]) for x in lines} == \
            {("target_tls_failed", "target_overload", "handshake_queue_full")}, lines
        told = set()

        def all_are_told():
            for s in set(held) - told:
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    assert s.recv(4096) == b"421 4.3.2 mx.test Too busy, try again later\r\n"  # RFC 5321 section 3.8
                    told.add(s)
            return len(told) == watch.rose("handshake_queue_refused_total")

        wait_until(all_are_told, "each that was refused to be told", 60)
        hang.unlink()
        for s in held:
            s.close()
        watch.settle(HELLOS)


# ---- turns on the loop ----

def from_address(port, address):
    return socket.create_connection(("127.0.0.1", port), source_address=(address, 0))


def flood(watch, port, address):
    """Hellos that are all there at once, of a client that has left by then."""
    hello = hello_of_openssl()
    os.kill(watch.worker[0], signal.SIGSTOP)
    for _ in range(HELLOS):
        with from_address(port, address) as s:
            s.sendall(hello)
    os.kill(watch.worker[0], signal.SIGCONT)


def test_who_has_cost_much_waits_behind_and_nobody_else_does(yett, authority, echo, port):
    """Hellos that nobody waits for the answer of are not answered; the address of whoever sent them is served still, and
    another one is not behind at all."""
    watch = Watched(yett, tls_service(authority, port, echo.port))
    floods = 0
    while watch.rose("handshake_queue_behind_total") == 0:  # until it has cost enough
        flood(watch, port, "127.0.0.2")
        floods += 1
        watch.settle(floods * HELLOS)
    watch.mark()
    flood(watch, port, "127.0.0.2")
    watch.settle(HELLOS)
    # Those that were counted as failures had a turn; the others cost no handshake.
    assert watch.rose("handshakes_server_failed_total") + watch.rose("clients_left_total") == HELLOS
    assert watch.rose("clients_left_total") > HELLOS / 2 and watch.rose("handshake_queue_behind_total") > HELLOS / 2
    watch.mark()
    watch.serves_on(authority, port)  # from 127.0.0.1
    assert watch.rose("handshake_queue_behind_total") == 0
    with client_tls(authority).wrap_socket(from_address(port, "127.0.0.2"), server_hostname="localhost") as s:
        s.sendall(b"still served")
        assert s.recv(100) == b"still served"
