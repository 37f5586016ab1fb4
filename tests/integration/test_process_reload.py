"""Reloads: nothing is refused or cut by a good one, nothing changes by a bad one."""
import os
import signal
import socket

import pytest
from conftest import PATIENCE, connect
from load import Held, Load
from peers import EchoServer, client_tls, free_port, listens, wait_until


def service(port, target, identity, name="web", listen=None):
    return (f"[service {name}]\nprotocol = tcp\nlisten = {listen or f'127.0.0.1:{port}'}\nlisten_tls = implicit\n"
            f"identity = file:{identity.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n")


def echoes(port, authority):
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"hello")
        return s.recv(5) == b"hello"


def test_fifty_reloads_under_load_refuse_and_cut_nothing(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="workers = 2\ndrain_timeout = 10m\n")
    held = [Held(port, authority) for _ in range(20)]
    with Load(port, authority) as load:
        wait_until(lambda: load.done > 20, "connections before the first reload")
        for i in range(50):
            running.command("reload")
            assert held[i % len(held)].echo()
        after = load.done
        wait_until(lambda: load.done > after + 20, "connections after the last reload")
    assert load.failures == []
    assert all(h.echo() for h in held)
    assert running.status()["generation"] == 51
    for h in held:
        h.close()
    wait_until(lambda: {w["generation"] for w in running.status()["workers"]} == {51}, "the old workers to end")
    assert running.counter("connections_total") >= load.done + len(held)


def test_other_numbers_of_workers_under_load(yett, authority, echo, port):
    """Fewer workers take over all queues; more share what there is."""
    running = yett(service(port, echo.port, authority.localhost), settings="workers = 3\ndrain_timeout = 10m\n")
    with Load(port, authority) as load:
        for number in (1, 5, 2, 4, 3):
            running.settings = f"workers = {number}\ndrain_timeout = 10m\n"
            running.configure(service(port, echo.port, authority.localhost))
            running.command("reload")
            assert len(running.workers()) == number
            before = load.done
            wait_until(lambda: load.done > before + 20, "connections")
    assert load.failures == []


@pytest.mark.parametrize("kind", ["unknown key", "no such file", "port in use", "control moved"])
def test_a_bad_configuration_changes_nothing(yett, authority, echo, port, kind, folder):
    good = service(port, echo.port, authority.localhost)
    running = yett(good)
    before = running.workers()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        bad, in_line, says = {
            "unknown key": (good + "colour = green\n", "colour", "colour"),
            "no such file": (good.replace(str(authority.localhost.pem), "/nowhere.pem"), "/nowhere.pem", "/nowhere.pem"),
            "port in use": (good + service(0, echo.port, authority.localhost, "other", address), address,
                            "Address already in use"),
            "control moved": (good, "other.sock", "control cannot change"),
        }[kind]
        running.configure(bad)
        if kind == "control moved":
            running.config.write_text(running.config.read_text().replace(str(running.control), f"{folder}/other.sock"))
        result = running.command("reload", "--control", str(running.control), check=False)
        lines = running.config.read_text().splitlines()
    assert result.returncode == 1
    where = "" if in_line is None else f":{next(i for i, x in enumerate(lines, 1) if in_line in x)}"
    assert result.stderr.startswith(f"{running.config}{where}: ")
    assert says in result.stderr
    assert running.log_lines("reload_failed")
    running.configure(good)
    assert running.workers() == before
    assert running.status()["generation"] == 1
    assert echoes(port, authority)
    running.command("reload")
    assert set(running.workers().values()).isdisjoint(before.values())
    assert echoes(port, authority)


def test_listeners_come_and_go(yett, authority, echo, port, folder):
    other, path = free_port(), folder / "s.sock"
    first = service(port, echo.port, authority.localhost)
    running = yett(first)
    held = Held(port, authority)
    running.configure(first + service(other, echo.port, authority.localhost, "other", f"127.0.0.1:{other}, unix:{path}"))
    running.command("reload")
    assert echoes(other, authority)
    assert path.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as tls:
            tls.sendall(b"by unix")
            assert tls.recv(7) == b"by unix"
    running.configure(service(other, echo.port, authority.localhost, "other"))
    running.command("reload")
    assert not listens(port)
    assert not path.exists()
    assert echoes(other, authority)
    assert held.echo()  # its listener is gone, its session is not
    held.close()


def test_an_address_may_move_to_another_service(yett, authority, port):
    with EchoServer() as one, EchoServer() as two:
        running = yett(service(port, one.port, authority.localhost, "one"))
        assert echoes(port, authority)
        running.configure(service(port, two.port, authority.localhost, "two"))
        running.command("reload")
        assert echoes(port, authority)
        assert (one.connections, two.connections) == (1, 1)
        assert [s["name"] for s in running.status()["services"]] == ["two"]


def test_sighup_reloads(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost))
    os.kill(running.process.pid, signal.SIGHUP)
    wait_until(lambda: running.status()["generation"] == 2, "the second generation")
    assert echoes(port, authority)


def test_counters_never_go_back(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost))
    for i in range(1, 6):
        assert echoes(port, authority)
        running.wait_for_counter("connections_total", i)
        assert running.counter("connections_total") == i
        running.command("reload")
    wait_until(lambda: running.counter("connections_open") == 0, "no session")
    assert running.counter("connections_total") == 5


def test_a_reload_waits_while_too_many_old_workers_drain(yett, authority, echo, port):
    """Each generation keeps a connection; how many generations there are at once has a limit, and nothing is cut for it
    before its drain_timeout."""
    running = yett(service(port, echo.port, authority.localhost), settings=f"workers = 1\ndrain_timeout = {int(3 * PATIENCE)}s\n")
    held = []
    for _ in range(10):
        held.append(Held(port, authority))
        running.command("reload")
        assert held[-1].echo()
        assert len({w["generation"] for w in running.status()["workers"]}) <= 8
    assert running.status()["generation"] == 11
    assert running.log_lines("reload_waits")
    for h in held:
        h.close()


def test_a_control_that_cannot_change_is_told_with_its_line(yett, folder, port):
    running = yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = 127.0.0.1:1\n"
                   "connect_tls = none\n")
    running.config.write_text(running.config.read_text().replace(f"control = {running.control}", f"control = {folder}/other.sock"))
    refused = running.command("reload", "--control", str(running.control), check=False)
    assert refused.returncode == 1
    assert f"{running.config}:2: control cannot change from {running.control} to {folder}/other.sock" in refused.stderr + refused.stdout
