"""What is around a yett: signals of others, a log nobody listens to, ports that are taken, targets that are not there."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import YETT, Yett, connect
from peers import client_tls, free_port, wait_until


def service(authority, listen, target):
    return (f"[service web]\nprotocol = tcp\nlisten = {listen}\nlisten_tls = implicit\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n")


def serves(authority, port):
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"hello")
        return s.recv(100) == b"hello"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
                                    signal.SIGIO, signal.SIGPIPE, signal.SIGPWR, signal.SIGXFSZ, signal.SIGRTMIN + 3],
                         ids=lambda x: signal.Signals(x).name if x < signal.SIGRTMIN else "SIGRTMIN+3")
def test_no_signal_of_others_ends_a_process(yett, authority, token, echo, port, number):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(authority, f"127.0.0.1:{port}", echo.port)
                   .replace(f"file:{authority.localhost.pem}", uri))
    processes = {"supervisor": running.process.pid, **running.workers(), "agent": running.status()["modules"][0]["pid"]}
    for pid in processes.values():
        os.kill(pid, number)
    assert serves(authority, port)
    assert running.process.poll() is None
    assert {"supervisor": running.process.pid, **running.workers(), "agent": running.status()["modules"][0]["pid"]} == processes
    assert "worker_died" not in running.log() and "agent_died" not in running.log()


LOG_SOCKETS = {"journal": "/run/systemd/journal/socket", "syslog": "/dev/log"}


@pytest.mark.parametrize("target", LOG_SOCKETS)
def test_lines_for_a_log_that_nobody_listens_to_go_to_standard_error(yett, authority, echo, port, target):
    running = yett(service(authority, f"127.0.0.1:{port}", echo.port), settings=f"workers = 1\nlog = {target}\n")
    assert serves(authority, port)
    if os.access(LOG_SOCKETS[target], os.W_OK):  # somebody listens there
        assert "nobody listens" not in running.log() and running.log_lines("ready") == []
        return
    wait_until(lambda: running.log_lines("session_ended"), "the line of the connection")
    assert running.log_lines("ready") and all(x["time"] for x in running.log_lines())
    said = re.findall(rf"^yett: log = {target}, but nobody listens at (\S+)", running.log(), re.M)
    assert said == [LOG_SOCKETS[target]] * 2, "once by the supervisor, once by its worker"


def test_connections_without_a_target_count_as_failed(yett, authority, port):
    running = yett(service(authority, f"127.0.0.1:{port}", free_port()))
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        assert s.recv(1) == b""
    running.wait_for_counter("sessions_failed_total")
    header, row = (x for x in running.command("status").stdout.splitlines() if x.startswith(("SERVICE", "web ")))
    assert dict(zip(header.split(), row.split()))["FAILED"] == "1"


def both_say(yett, folder, configuration, words):
    """yett check and yett run refuse it, with the same sentence."""
    one = Yett(folder / "refused", configuration)
    checked = one.command("check", check=False)
    assert checked.returncode == 1
    line, = (x for x in checked.stdout.splitlines() if words in x)
    assert re.match(rf"{re.escape(str(one.config))}:\d+: ", line), line
    with pytest.raises(AssertionError):
        one.start()
    assert line in one.log()


def test_check_and_run_take_a_mapped_address_for_the_one_it_carries(yett, folder, authority, echo, port):
    configuration = service(authority, f"[::ffff:127.0.0.1]:{port}", echo.port)
    assert Yett(folder / "checked", configuration).command("check").returncode == 0
    yett(configuration)
    assert serves(authority, port)


def test_check_and_run_refuse_a_port_that_is_taken(yett, folder, authority, port):
    with socket.socket() as s:
        s.bind(("127.0.0.1", port))
        s.listen()
        both_say(yett, folder, service(authority, f"127.0.0.1:{port}", free_port()), "Address already in use")
    assert Yett(folder / "free", service(authority, f"127.0.0.1:{port}", free_port())).command("check").returncode == 0


def test_check_without_the_right_to_low_ports_says_so_and_is_content(folder, authority):
    one = Yett(folder / "y", service(authority, "127.0.0.1:443", free_port()))
    shutil.copy(authority.localhost.pem, folder / "y/www.pem")
    one.config.write_text(one.config.read_text().replace(str(authority.localhost.pem), str(folder / "y/www.pem")))
    for path in (folder, folder / "y", one.config, folder / "y/www.pem"):
        shutil.chown(path, "nobody")
    result = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", YETT, "check", "-c",
                             one.config], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0 and "good, 1 service" in result.stdout, result
    assert re.search(r":\d+: note: whether somebody listens on 127.0.0.1:443, .*CAP_NET_BIND_SERVICE", result.stdout), result


def test_check_and_run_refuse_an_address_of_another_machine(yett, folder, authority, port):
    both_say(yett, folder, service(authority, f"192.0.2.1:{port}", free_port()), "Cannot assign requested address")


def test_ports_of_the_running_yett_are_its_own(yett, authority, echo, port):
    """And nobody who connects meanwhile goes astray."""
    admin, other = free_port(), free_port()
    running = yett(service(authority, f"127.0.0.1:{port}", echo.port), settings=f"workers = 1\nadmin = 127.0.0.1:{admin}\n")
    assert "good, 1 service" in running.command("check").stdout
    assert serves(authority, port)
    with socket.socket() as s:
        s.bind(("127.0.0.1", other))
        s.listen()
        running.configure(service(authority, f"127.0.0.1:{port}, 127.0.0.1:{other}", echo.port))
        checked = running.command("check", check=False)
        assert checked.returncode == 1
        assert f"cannot listen on 127.0.0.1:{other}" in checked.stdout and f"127.0.0.1:{port}:" not in checked.stdout
