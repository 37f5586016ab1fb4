"""Several servers of one service: which is tried first, and who failed is left alone."""
import contextlib
import socket

import pytest
from conftest import PATIENCE, connect
from peers import ConnectProxy, EchoServer, ScriptedServer, free_port, server_tls, wait_until


def naming(name, port=0):
    """A server that says who it is, and stays."""
    def script(connection):
        connection.sendall(name.encode())
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass
    return ScriptedServer(script, port=port)


def service(port, targets, balance="first", extra=""):
    return (f"[service in]\nlisten = 127.0.0.1:{port}\nconnect = {', '.join(f'127.0.0.1:{t}' for t in targets)}\n"
            f"balance = {balance}\n{extra}")


def ask(port, stay=None):
    """Who answers; with `stay` (an ExitStack) the connection is kept."""
    s = connect(port)
    answer = s.recv(1)
    if stay is None:
        s.close()
    else:
        stay.enter_context(s)
    return answer.decode()


@pytest.fixture
def three():
    with naming("a") as a, naming("b") as b, naming("c") as c:
        yield a.port, b.port, c.port


def test_first(yett, port, three):
    yett(service(port, three))
    assert "".join(ask(port) for _ in range(6)) == "aaaaaa"


def test_round(yett, port, three):
    yett(service(port, three, "round"), settings="workers = 1\n")
    assert "".join(ask(port) for _ in range(6)) == "abcabc"


def test_least(yett, port, three):
    running = yett(service(port, three, "least"), settings="workers = 1\n")
    with contextlib.ExitStack() as stack:
        assert sorted(ask(port, stack) for _ in range(6)) == list("aabbcc")
        kept = connect(port)
        who = kept.recv(1).decode()
        others = {"a", "b", "c"} - {who}
        assert {ask(port, stack), ask(port, stack)} == others  # who has three is passed over
        kept.close()
        wait_until(lambda: running.counter("connections_open") == 8, "it to be gone", 20 * PATIENCE)
        assert ask(port, stack) == who


def test_who_failed_is_left_alone(yett, port, three):
    """And is back when it serves again."""
    dead = free_port()
    running = yett(service(port, [dead, three[1]]), settings="workers = 1\n")
    assert "".join(ask(port) for _ in range(3)) == "bbb"
    line = wait_until(lambda: running.log_lines("target_left_alone"), "its line", 20 * PATIENCE)[0]
    assert line["service"] == "in" and line["target"] == f"127.0.0.1:{dead}", line
    wait_until(lambda: running.counter("targets_left_alone") == 1, "it to be counted", 20 * PATIENCE)
    assert "1 of its targets" in running.command("status").stdout
    with naming("d", dead):
        wait_until(lambda: ask(port) == "d", "it to be tried again", 60 * PATIENCE)
    wait_until(lambda: running.log_lines("target_back"), "it to be back", 20 * PATIENCE)
    wait_until(lambda: running.counter("targets_left_alone") == 0, "it not to be counted any more", 20 * PATIENCE)
    assert len(running.log_lines("target_left_alone")) == 1


def test_who_hangs_costs_one_client_its_patience(yett, port, three):
    """A server whose queue is full answers nobody: whoever comes next is served by the other at once."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as stack:
            for _ in range(3):  # what fits into its queue, and one that waits
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    s.connect(full.getsockname())
            running = yett(service(port, [full.getsockname()[1], three[1]], extra="connect_timeout = 1s\n"),
                           settings="workers = 1\n")
            first = stack.enter_context(connect(port))
            wait_until(lambda: running.log_lines("target_failed", end="timeout_connect"), "its end", 20 * PATIENCE)
            wait_until(lambda: running.log_lines("target_left_alone"), "the line", 20 * PATIENCE)
            assert ask(port) == "b"
            first.close()


def test_who_does_not_serve_is_left_alone(yett, port, authority, three):
    """It answers, and its TLS fails: the next client goes elsewhere."""
    stranger = authority.server("stranger.test")
    with EchoServer(tls=server_tls(stranger)) as wrong, EchoServer(tls=server_tls(authority.localhost)) as right:
        running = yett(service(port, [wrong.port, right.port], extra="connect_tls = implicit\nverify_name = localhost\n"
                               f"trust = file:{authority.cert}\n"), settings="workers = 1\n")
        with connect(port) as s:
            s.sendall(b"x")
            with contextlib.suppress(OSError):
                assert s.recv(1) == b""
        wait_until(lambda: running.log_lines("target_left_alone", target=f"127.0.0.1:{wrong.port}"), "its line", 20 * PATIENCE)
        with connect(port) as s:
            s.sendall(b"x")
            assert s.recv(1) == b"x"


def test_all_have_failed_and_are_tried(yett, port):
    """Nobody is refused without a try."""
    targets = [free_port(), free_port()]
    running = yett(service(port, targets), settings="workers = 1\n")
    for n in range(1, 4):
        with contextlib.suppress(OSError), connect(port) as s:
            s.recv(1)
        wait_until(lambda: len(running.log_lines("target_failed")) == n, f"{n} lines", 20 * PATIENCE)
    assert len(running.log_lines("target_left_alone")) == 2
    with naming("a", targets[0]):
        assert ask(port) == "a"


def test_through_an_upstream_proxy(yett, port, three):
    """What the proxy cannot reach is left alone, and asked for last."""
    dead = free_port()
    with ConnectProxy() as proxy:
        running = yett(service(port, [dead, three[1]], extra=f"via = 127.0.0.1:{proxy.port}\n"), settings="workers = 1\n")
        assert ask(port) == "b" and ask(port) == "b"
        wait_until(lambda: running.log_lines("target_left_alone", target=f"127.0.0.1:{dead}"), "its line", 20 * PATIENCE)
        assert proxy.asked[:3] == [f"127.0.0.1:{x}" for x in (dead, three[1], three[1])], proxy.asked
