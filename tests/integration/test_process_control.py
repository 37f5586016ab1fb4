"""What yett shows and is told: control socket, admin endpoint, the service manager."""
import contextlib
import json
import os
import re
import socket
import subprocess

from conftest import PATIENCE, TOP, YETT, Yett
from load import Held
from peers import free_port, wait_until
from test_process_reload import echoes, service


def curl(url, *args):
    return subprocess.run(["curl", "-s", "-i", *args, url], capture_output=True, text=True).stdout.replace("\r", "")


def ask(running, text):
    """Raw bytes on the control socket, and all that comes back."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20 * PATIENCE)
        s.connect(str(running.control))
        s.sendall(text)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # hung up on, with something unread
            while part := s.recv(65536):
                answer += part
        return answer


def test_status_and_connections(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost))
    held = Held(port, authority)
    assert held.echo(b"12345")
    status = running.status()
    assert status["state"] == "running" and status["pid"] == running.process.pid
    assert [s["name"] for s in status["services"]] == ["web"]
    assert status["services"][0]["listen"] == [f"127.0.0.1:{port}"]
    text = running.command("status").stdout
    assert f"process {running.process.pid}, running for" in text and f"127.0.0.1:{port}" in text
    reply = json.loads(running.command("connections", "--json").stdout)
    assert reply["complete"] and reply["left_out"] == 0
    (one,) = reply["connections"]
    assert one["service"] == "web" and one["received_bytes"] == 5 and one["generation"] == 1
    assert one["id"] in running.command("connections").stdout
    assert json.loads(running.command("show", one["id"]).stdout)["client"] == one["client"]
    assert running.command("show", "9.9.9", check=False).returncode == 1
    held.close()


def test_a_control_client_may_be_rude(yett, authority, echo, port):
    running = yett(service(port, echo.port, authority.localhost))
    for request, says in ((b"nonsense\n", "JSON object"), (b"[]\n", "JSON object"), (b"{}\n", "JSON object"),
                          (b'{"command": "dance"}\n', "unknown command"), (b'{"command": 7}\n', "JSON object")):
        answer = json.loads(ask(running, request))
        assert answer["ok"] is False and says in answer["error"]
    assert ask(running, b"x" * 5000 + b"\n") == b""  # longer than any request
    assert ask(running, b'{"command": "status"}') == b""  # no end of line
    answers = ask(running, b'{"command": "status"}\n' * 3).decode().splitlines()
    assert [json.loads(x)["ok"] for x in answers] in ([True] * 3, [True])  # it need not answer who has hung up
    with_open = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for s in with_open:
        s.connect(str(running.control))
    for s in with_open:
        s.close()
    assert running.control.stat().st_mode & 0o777 == 0o600
    wait_until(lambda: running.command("status", check=False).returncode == 0, "a free place on the control socket")
    assert echoes(port, authority)


def test_commands_without_a_running_yett(folder, authority):
    one = Yett(folder / "y", service(1, 2, authority.localhost))
    for command in ("status", "connections", "reload", "drain", "stop"):
        result = one.command(command, check=False)
        assert result.returncode == 1
        assert f"no yett is running at {one.control}" in result.stderr


def test_metrics_are_what_prometheus_expects(yett, authority, echo, port):
    """promtool reads the live page, and finds nothing against it: types, helps, base units, endings."""
    admin = free_port()
    running = yett(service(port, echo.port, authority.localhost), settings=f"admin = 127.0.0.1:{admin}\n")
    assert echoes(port, authority)
    running.wait_for_counter("connections_total", 1)
    page = curl(f"http://127.0.0.1:{admin}/metrics").split("\n\n", 1)[1]
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    names = re.findall(r"^# TYPE (\w+) (?:counter|gauge)$", page, re.M)
    assert len(names) == len(set(names)) > 30 and names == re.findall(r"^# HELP (\w+) \S.*$", page, re.M)
    assert {line.split("{")[0].split(" ")[0] for line in page.splitlines() if line[0] != "#"} == set(names)
    manual = set(re.findall(r"^\.It Li (yett_\w+)$", (TOP / "packaging/yett.8").read_text(), re.M))
    assert set(names) - manual == set() and all(
        name.startswith(("yett_module_", "yett_token_", "yett_mozilla_")) for name in manual - set(names))  # where there are any
    assert re.search(r'^yett_verification_seconds_total\{service="web"\} \d+\.\d{6}$', page, re.M), page


def test_silent_connections_do_not_keep_monitoring_out(yett, authority, echo, port, folder):
    """Somebody opens hundreds of connections to the admin endpoint and says nothing, or half a request, on each."""
    admin = free_port()
    listens = f"admin = 127.0.0.1:{admin}\n", f"admin = unix:{folder}/admin.sock\n"
    running = yett(service(port, echo.port, authority.localhost), settings=listens[0])
    with contextlib.ExitStack() as held:
        for i in range(400):
            s = held.enter_context(socket.create_connection(("127.0.0.1", admin)))
            if i % 2:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127")
        for _ in range(3):
            assert curl(f"http://127.0.0.1:{admin}/healthz").startswith("HTTP/1.1 200 ")
            assert "yett_workers" in curl(f"http://127.0.0.1:{admin}/metrics")
    running.settings = listens[1]
    running.configure(service(port, echo.port, authority.localhost))
    running.command("reload")
    with contextlib.ExitStack() as held:
        for _ in range(400):
            s = held.enter_context(socket.socket(socket.AF_UNIX))
            wait_until(lambda: s.connect_ex(str(folder / "admin.sock")) == 0, "a place in the queue of the socket")
        assert curl("http://any/healthz", "--unix-socket", folder / "admin.sock").startswith("HTTP/1.1 200 ")


def test_admin(yett, authority, echo, port, folder):
    admin = free_port()
    running = yett(service(port, echo.port, authority.localhost), settings=f"admin = 127.0.0.1:{admin}\n")
    assert echoes(port, authority)
    running.wait_for_counter("connections_total", 1)
    url = f"http://127.0.0.1:{admin}"
    assert curl(url + "/healthz").startswith("HTTP/1.1 200 ") and curl(url + "/healthz").endswith("\n\nok\n")
    metrics = curl(url + "/metrics")
    assert "Content-Type: text/plain; version=0.0.4" in metrics
    body = metrics.split("\n\n", 1)[1]
    assert 'yett_connections_total{service="web"} 1\n' in body
    assert 'yett_workers{state="ready"} 2\n' in body
    for line in body.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) yett_\w+ .+|yett_\w+(\{\w+="[^"]*"\})? \d+(\.\d+)?', line), line
    assert json.loads(curl(url + "/status").split("\n\n", 1)[1])["pid"] == running.process.pid
    assert curl(url + "/").startswith("HTTP/1.1 404 ")
    assert curl(url + "/metrics", "-X", "POST", "-d", "x").startswith("HTTP/1.1 405 ")
    assert curl(url + "/metrics", "-H", "Host: evil.example").startswith("HTTP/1.1 421 ")
    assert curl(url + "/metrics", "-H", f"X: {'y' * 70000}").startswith("HTTP/1.1 4")
    running.settings = f"admin = unix:{folder}/admin.sock\n"
    running.configure(service(port, echo.port, authority.localhost))
    running.command("reload")
    assert curl(url + "/healthz") == ""
    assert curl("http://any/healthz", "--unix-socket", folder / "admin.sock").startswith("HTTP/1.1 200 ")
    running.settings = ""
    running.configure(service(port, echo.port, authority.localhost))
    running.command("reload")
    assert not (folder / "admin.sock").exists()


def test_the_service_manager_is_told(yett, authority, echo, port, folder):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(folder / "notify"))
    manager.settimeout(20 * PATIENCE)
    told = []

    def wait_for(text):
        while not told or text not in told[-1]:
            told.append(manager.recv(4096).decode())
        return told[-1]

    running = yett(service(port, echo.port, authority.localhost),
                   environment={"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "200000"})
    wait_for("READY=1")
    assert not any("RELOADING" in x for x in told)
    running.command("reload")
    assert re.search(r"^MONOTONIC_USEC=\d+$", wait_for("RELOADING=1"), re.M)
    wait_for("READY=1")
    running.configure("[yett]\nnonsense\n")
    assert running.command("reload", "--control", str(running.control), check=False).returncode == 1
    wait_for("RELOADING=1")
    wait_for("READY=1")  # what ran goes on
    told.clear()
    wait_for("WATCHDOG=1")
    running.stop()
    wait_for("STOPPING=1")


def test_sockets_from_the_service_manager(authority, echo, folder):
    """As systemd passes them: from descriptor 3 on, named."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [s.getsockname()[1] for s in listeners]
    one = Yett(folder / "y", service(0, echo.port, authority.localhost, listen="systemd:web")
               + service(0, echo.port, authority.localhost, "mail", listen="systemd:mail"))
    process = subprocess.Popen(
        ["bash", "-c", f"exec 3<&{listeners[0].fileno()} 4<&{listeners[1].fileno()}; "
         f'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:mail exec "{YETT}" run -c "{one.config}"'],
        pass_fds=[s.fileno() for s in listeners], stdout=open(one.log_path, "w"), stderr=subprocess.STDOUT)
    for s in listeners:
        s.close()
    try:
        wait_until(one.is_ready, "yett to be ready", 30 * PATIENCE)
        one.command("reload")
        for port in ports:
            assert echoes(port, authority)
        held = Held(ports[0], authority)
        one.command("reload")
        assert held.echo()
        held.close()
        one.command("stop")
        assert process.wait(20 * PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_plain_text_on_a_passed_socket_needs_to_be_said(authority, echo, folder):
    listener = socket.create_server(("0.0.0.0", 0))
    plain = (f"[service web]\nprotocol = tcp\nlisten = systemd:web\nlisten_tls = none\n"
             f"connect = 127.0.0.1:{echo.port}\nconnect_tls = none\n")
    one = Yett(folder / "y", plain)
    result = subprocess.run(
        ["bash", "-c", f"exec 3<&{listener.fileno()}; "
         f'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "{YETT}" run -c "{one.config}"'],
        pass_fds=[listener.fileno()], capture_output=True, text=True, timeout=60 * PATIENCE)
    listener.close()
    assert result.returncode == 1
    assert "insecure_plaintext_listen" in result.stderr


def test_the_control_folder_is_made(yett, authority, echo, port, folder):
    one = Yett(folder / "y", service(port, echo.port, authority.localhost))
    one.control = folder / "run/control.sock"
    one.configure(service(port, echo.port, authority.localhost))
    with one:
        assert one.control.exists()
        assert os.stat(one.control.parent).st_mode & 0o777 == 0o755
    assert not one.control.exists()
