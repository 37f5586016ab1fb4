"""Workers that die, and processes that stop."""
import json
import os
import signal
import subprocess

from conftest import PATIENCE, YETT, Yett, connect
from load import Held, Load
from peers import client_tls, ended, free_port, listens, wait_until
from test_process_reload import echoes, service


def worker_of(running, held):
    """The slot of the worker that has this connection."""
    connections = json.loads(running.command("connections", "--json").stdout)["connections"]
    return next(c["worker"] for c in connections if c["client"].endswith(f":{held.local_port}"))


def test_kill_9_of_workers_under_load(yett, authority, echo, port):
    """Only the killed worker's own connections end; nobody is refused, nobody hangs (a lock of the session cache may
    have died with it), and the place is taken again."""
    running = yett(service(port, echo.port, authority.localhost), settings="workers = 2\n")
    held = [Held(port, authority) for _ in range(12)]
    slots = {h: worker_of(running, h) for h in held}
    kills = 0
    with Load(port, authority) as load:
        wait_until(lambda: load.done > 20, "connections before")
        for _ in range(10):
            pids = running.workers()
            os.kill(pids[0], signal.SIGKILL)
            kills += 1
            wait_until(lambda: running.workers().get(0, pids[0]) != pids[0], "another worker in its place", 20 * PATIENCE)
            before = load.done
            wait_until(lambda: load.done > before + 20, "connections after", 20 * PATIENCE)
    assert not [f for f in load.failures if isinstance(f.error, ConnectionRefusedError)]
    assert len(load.failures) <= kills * len(load.threads)  # at most what was on the worker each time
    assert all(h.echo() for h in held if slots[h] == 1)
    assert running.status()["worker_deaths"] == kills
    assert len(running.log_lines("worker_died", slot=0)) == kills
    assert len(running.log_lines("worker_ready", slot=0)) == kills  # and that its place is taken is said too
    assert running.counter("connections_total") >= load.done + len(held)
    for h in held:
        h.close()


def test_kill_9_of_the_supervisor_ends_all(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="drain_timeout = 1s\n")
    pids = list(running.workers().values())
    held = Held(port, authority)
    running.process.kill()
    running.process.wait()
    wait_until(lambda: all(ended(p) for p in pids), "the workers to end", 20 * PATIENCE)
    held.close()
    running.process = None
    running.log_file.close()
    running.start()  # the sockets it left behind are in nobody's way
    assert echoes(port, authority)


def test_sigterm_lets_sessions_end(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="drain_timeout = 10m\n")
    held = Held(port, authority)
    running.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not listens(port), "nobody to listen any more")
    assert held.echo()
    assert running.process.poll() is None
    held.close()
    assert running.process.wait(20 * PATIENCE) == 0
    assert not running.control.exists()


def test_a_second_sigterm_ends_at_once(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="drain_timeout = 10m\n")
    held = Held(port, authority)
    running.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not listens(port), "nobody to listen any more")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20 * PATIENCE) == 0
    held.close()


def test_drain_timeout_ends_sessions_that_do_not(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="drain_timeout = 1s\n")
    held = Held(port, authority)
    running.command("stop")
    assert running.process.wait(20 * PATIENCE) == 0
    held.close()


def test_stop_now_waits_for_nobody(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost), settings="drain_timeout = 10m\n")
    pids = list(running.workers().values())
    held = Held(port, authority)
    running.command("stop", "--now")
    assert all(ended(p) for p in pids)
    assert running.process.wait(20 * PATIENCE) == 0
    held.close()


def test_drain_and_back(yett, authority, echo, port):
    admin = free_port()
    running = yett(service(port, echo.port, authority.localhost),
                   settings=f"drain_timeout = 10m\nadmin = 127.0.0.1:{admin}\n")

    def health():
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{admin}/healthz"],
                              capture_output=True, text=True).stdout

    assert health() == "200"
    held = Held(port, authority)
    running.command("drain")
    assert health() == "503"
    assert not listens(port)
    assert held.echo()
    assert running.status()["state"] == "draining"
    held.close()
    wait_until(lambda: running.status()["state"] == "drained", "the last session to end")
    running.command("reload")
    assert health() == "200"
    assert echoes(port, authority)


def test_a_worker_that_cannot_start_is_said_once_and_ends_the_start(authority, echo, port, folder):
    one = Yett(folder / "y", service(port, echo.port, authority.localhost).replace(str(authority.localhost.pem), "/no.pem"))
    result = one.command("run", check=False)
    assert result.returncode == 1
    assert result.stderr.count(f"{one.config}:") >= 1 and "/no.pem" in result.stderr
    assert not one.control.exists()


def test_two_with_one_configuration(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost))
    result = running.command("run", check=False)
    assert result.returncode == 1
    assert "another program listens" in result.stderr
    assert echoes(port, authority)


def test_a_port_in_use_is_said_with_its_line(yett, authority, echo, port, folder):
    yett(service(port, echo.port, authority.localhost))
    other = Yett(folder / "other", service(port, echo.port, authority.localhost))
    result = other.command("run", check=False)
    line = next(i for i, x in enumerate(other.config.read_text().splitlines(), 1) if x.startswith("listen ="))
    assert result.returncode == 1
    assert f"{other.config}:{line}: cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr


def test_children_have_nothing_they_need_not(yett, authority, echo, port):
    """A worker: stdio, its control socket, the session cache, what it was passed; above all no other worker's socket."""
    running = yett(service(port, echo.port, authority.localhost), settings="workers = 3\n")
    for pid in running.workers().values():
        names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert sum(n.startswith("socket:") for n in names) <= 4, names  # control, one listener, libuv's own
        assert "NOTIFY_SOCKET" not in open(f"/proc/{pid}/environ").read()


def test_help_teaches():
    for command in ("run", "check", "status", "connections", "show", "reload", "drain", "stop", "version"):
        result = subprocess.run([YETT, command, "--help"], capture_output=True, text=True)
        assert result.returncode == 0 and result.stdout.startswith(f"Usage: yett {command}")
        assert subprocess.run([YETT, command, "--no-such"], capture_output=True).returncode == 2
    assert subprocess.run([YETT, "no-such"], capture_output=True).returncode == 2
    assert subprocess.run([YETT], capture_output=True).returncode == 2
    out = subprocess.run([YETT, "--help"], capture_output=True, text=True).stdout
    assert "yett check" in out and "worker" not in [x.split()[0] for x in out.splitlines() if x.startswith("  ")]
    assert {x.split()[0] for x in subprocess.run([YETT, "version"], capture_output=True, text=True).stdout.splitlines()} \
        == {"yett", "NSS", "NSPR", "libuv", "http-parser", "accelerator"}
