"""A token that is asked for more than it can do: whom it serves. What is counted is signatures, which the token makes one after
the other, not time."""
import contextlib
import ssl
import threading
import time

import pytest
from conftest import PATIENCE, SLOW_TOKEN, connect
from peers import client_tls, wait_until
from test_token import counted, service

SIGN_MS = 100


@pytest.fixture
def card(token, folder):
    """One signature at a time, of 100 ms, counted."""
    def settings():
        return token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=SIGN_MS, YETT_TEST_SESSIONS_MAX=1,
                              YETT_TEST_COUNT_FILE=folder / "counts")
    return settings


def signatures(folder):
    return counted(folder / "counts")["C_Sign"]


def ask(port, context, patience, told):
    """A client that waits for so long for its handshake, and is told what came of it."""
    good = False
    with contextlib.suppress(OSError):  # ssl.SSLError is one
        with connect(port, timeout=patience) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as s:
                s.sendall(b"x")
                good = s.recv(1) == b"x"
    told(good)


def flood(port, context, count, patience, told, every=0.0):
    threads = [threading.Thread(target=ask, args=(port, context, patience, told)) for _ in range(count)]
    for thread in threads:
        thread.start()
        time.sleep(every)
    return threads


def test_most_signatures_serve_a_client_at_twice_what_the_token_can(yett, authority, token, card, folder, echo, port):
    """First come, first served ended at 18 percent: all were as old as their patience when their turn came."""
    uri = token.put(authority.localhost, "server")
    yett(card() + service(port, echo.port, uri))
    served = []
    before = signatures(folder)
    for thread in flood(port, client_tls(authority), 160, 25 * SIGN_MS / 1000, served.append, SIGN_MS / 1000 / 2):
        thread.join()
    assert len(served) == 160
    made = signatures(folder) - before
    assert sum(served) >= made * 0.75, (sum(served), made)


def test_the_first_of_many_is_served_before_the_others_are_signed_for(yett, authority, token, card, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    yett(card() + service(port, echo.port, uri))
    made, before = [], signatures(folder)

    def told(good):
        assert good
        made.append(signatures(folder) - before)

    for thread in flood(port, client_tls(authority), 32, 60 * PATIENCE, told):
        thread.join()
    assert len(made) == 32
    assert made[0] <= 4, made


def test_nobody_signs_for_those_who_have_left(yett, authority, token, card, folder, echo, port):
    """Forty clients say hello and go; who comes after them is served."""
    uri = token.put(authority.localhost, "server")
    running = yett(card() + service(port, echo.port, uri))
    context = client_tls(authority)
    before = signatures(folder)
    gone = []
    for _ in range(40):
        s = connect(port)
        hello = context.wrap_bio(incoming := ssl.MemoryBIO(), outgoing := ssl.MemoryBIO(), server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        s.sendall(outgoing.read())
        gone.append(s)
        assert not incoming.pending
    for s in gone:
        s.close()
    served = []
    ask(port, context, 60 * PATIENCE, served.append)
    assert served == [True]
    wait_until(lambda: running.counter("handshake_queue_waiting") == 0, "the queue to be empty", 20 * PATIENCE)
    assert signatures(folder) - before < 40
    assert running.log_lines(error="client_left")


def test_a_flooded_service_leaves_another_its_share(yett, authority, token, card, echo, port, folder):
    from conftest import free_port
    uri = token.put(authority.localhost, "server")
    other = free_port()
    yett(card() + service(port, echo.port, uri) + service(other, echo.port, uri, "other"), settings="workers = 1\n")
    context = client_tls(authority)
    flooded, served = [], []
    threads = flood(port, context, 100, 60 * PATIENCE, flooded.append)
    wait_until(lambda: signatures(folder) > 2, "the flood to be there", 20 * PATIENCE)
    before = signatures(folder)
    for _ in range(5):
        ask(other, context, 60 * PATIENCE, served.append)
    made = signatures(folder) - before
    for thread in threads:
        thread.join()
    assert served == [True] * 5
    assert made <= 60, made  # one for each of its own, and a few between; in the order in which all came it would be 103
