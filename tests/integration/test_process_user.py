"""[yett] user: workers that give root up before their first connection."""
import os
import pwd
import signal
import socket
import subprocess

import pytest
from conftest import YETT, connect
from peers import client_tls, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def credentials(pid):
    """Uid, Gid, Groups and CapEff of a process, of each of its threads alike."""
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(":", 1) for line in file)
        found.add(tuple(" ".join(fields[k].split()) for k in ("Uid", "Gid", "Groups", "CapEff", "CapPrm")))
    assert len(found) == 1, found
    return found.pop()


def service(port, target, identity):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = {identity}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n")


def once(port, context):
    with context.wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"hello")
        return s.recv(100) == b"hello"


def nobody():
    entry = pwd.getpwnam("nobody")
    uid, gid = " ".join([str(entry.pw_uid)] * 4), " ".join([str(entry.pw_gid)] * 4)
    return uid, gid, str(entry.pw_gid), "0" * 16, "0" * 16


def test_workers_become_the_user(yett, authority, echo, port):
    os.chmod(authority.localhost.pem, 0o600)  # root's: it is read before
    running = yett(service(port, echo.port, f"file:{authority.localhost.pem}"), settings="user = nobody\n")
    assert once(port, client_tls(authority))
    for pid in running.workers().values():
        assert credentials(pid) == nobody()
    assert credentials(running.process.pid)[0] == "0 0 0 0"
    before = running.workers()
    running.command("reload")
    wait_until(lambda: (now := running.workers()) and not set(now.values()) & set(before.values()), "new workers", 20)
    assert once(port, client_tls(authority))
    for pid in running.workers().values():
        assert credentials(pid) == nobody()


def test_who_has_given_root_up_still_reaches_the_agent(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri), settings="user = nobody\n")
    assert once(port, client_tls(authority))
    for pid in running.workers().values():
        assert credentials(pid) == nobody()
    (agent,) = running.status()["modules"]
    os.kill(agent["pid"], signal.SIGKILL)
    wait_until(lambda: running.status()["modules"][0].get("pid") not in (None, 0, agent["pid"]), "another agent", 20)
    wait_until(lambda: attempt(port, authority), "a signature of the new agent", 20)
    (agent,) = running.status()["modules"]
    assert credentials(agent["pid"])[0] == "0 0 0 0"


def test_an_agent_that_took_over_a_socket_knows_the_user_too(yett, authority, token, echo, port):
    """Its socket was bound under another name."""
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings() + service(port, echo.port, uri), settings="user = nobody\n")
    before = running.status()["modules"][0]["pid"]
    workers = set(running.workers().values())
    running.configure(token.settings() + "queue_max = 50\n" + service(port, echo.port, uri))
    running.command("reload")
    wait_until(lambda: running.status()["modules"][0].get("pid") not in (None, 0, before), "another agent", 20)
    wait_until(lambda: (now := set(running.workers().values())) and not now & workers, "new workers", 20)
    (agent,) = running.status()["modules"]
    os.kill(agent["pid"], signal.SIGKILL)  # workers connect again, as nobody
    wait_until(lambda: running.status()["modules"][0].get("pid") not in (None, 0, agent["pid"]), "its successor", 20)
    wait_until(lambda: attempt(port, authority), "a signature of the successor", 20)
    assert not [x for x in running.log_lines() if "another user" in x.get("says", "")]


def test_only_sockets_of_ours_are_given_away(yett, authority, token, echo, port):
    """The user's own program may have write access to the folder: no other file may become the user's by a trick."""
    running = yett(token.settings() + service(port, echo.port, f"file:{authority.localhost.pem}"),
                   settings="user = nobody\n")
    path = running.folder / "agent-token.sock"
    assert path.is_socket() and path.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    secret, others = running.folder / "secret", running.folder / "others"
    secret.write_text("root's")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(others))
        for count, victim in enumerate((secret, others), 1):
            path.unlink()
            os.link(victim, path)
            running.command("reload")
            wait_until(lambda: len(running.log_lines("agent_socket_owner_failed")) == count, "a line in the log", 20)
            assert victim.stat().st_uid == 0


def attempt(port, authority):
    try:
        return once(port, client_tls(authority))
    except OSError:
        return False


@pytest.mark.parametrize("name, sentence", [("no-such-user", "there is no user no-such-user"),
                                            ("root", "root is root: name one who may do nothing else")])
def test_a_user_nobody_can_become(authority, echo, folder, port, name, sentence):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/control.sock\nuser = {name}\n"
                      + service(port, echo.port, f"file:{authority.localhost.pem}"))
    for command in ("check", "run"):
        result = subprocess.run([str(YETT), command, "-c", str(config)], capture_output=True, text=True, timeout=60)
        assert result.returncode == 1
        assert f"{config}:3: user: {sentence}" in result.stdout + result.stderr


def test_others_cannot_become_somebody(authority, echo, folder, port):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/control.sock\nuser = nobody\n"
                      + service(port, echo.port, f"file:{authority.localhost.pem}"))
    config.chmod(0o644)
    result = subprocess.run(["setpriv", "--reuid", "daemon", "--clear-groups", str(YETT), "run", "-c", str(config)],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert f"{config}:3: user: only root can become nobody: start yett as root, or as nobody" in result.stderr


@pytest.mark.parametrize("where", ["control", "admin", "listen"])
def test_a_socket_that_may_not_be_made_says_whose_folder_it_is(folder, port, where):
    mine, roots = folder / "mine", folder / "roots"
    user = pwd.getpwnam("nobody")
    mine.mkdir()
    os.chown(mine, user.pw_uid, user.pw_gid)
    roots.mkdir(mode=0o755)
    place = {name: f"{roots if name == where else mine}/{name}.sock" for name in ("control", "admin", "listen")}
    config = folder / "yett.conf"
    config.write_text(f"[yett]\nworkers = 1\ncontrol = {place['control']}\nadmin = unix:{place['admin']}\n[service a]\n"
                      f"protocol = tcp\nlisten = unix:{place['listen']}\nlisten_tls = none\nconnect = 127.0.0.1:1\nconnect_tls = none\n")
    result = subprocess.run([YETT, "run", "-c", str(config)], capture_output=True, text=True, timeout=120, user="nobody",
                            group=user.pw_gid, extra_groups=[])
    assert result.returncode == 1
    assert f"the folder {roots} belongs to root:root (mode 0755), and this process runs as nobody" in result.stderr, result.stderr
