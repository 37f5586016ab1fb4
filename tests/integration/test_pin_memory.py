"""Where a PIN is: in locked pages of the supervisor and the agent, and nowhere once it was taken back."""
import os
import pwd
import re
import subprocess

import pytest
from conftest import PATIENCE, YETT, connect, free_port
from peers import SoftHsm, client_tls, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into other processes' memory")

PIN = "73190246858113905527"
SHADOW_MIN = 1 << 40  # a sanitizer's shadow memory: what it knows of bytes, not the bytes


def regions(pid):
    """(what is mapped, bytes) of each readable region of a process."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, mode, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if mode[0] != "r" or name in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                continue
            start, end = int(start, 16), int(end, 16)
            if end - start > SHADOW_MIN:
                continue
            for at in range(start, end, 1 << 24):
                try:
                    memory.seek(at)
                    yield name, memory.read(min(1 << 24, end - at))
                except (OSError, ValueError):
                    continue  # a file that has shrunk, or pages that cannot be had


def places(pid, pin):
    """Where the PIN is in a process, and how often."""
    return [name for name, data in regions(pid) for _ in range(data.count(pin.encode()))]


def processes(running):
    status = running.status()
    return {"supervisor": running.process.pid, **{f"worker {w['slot']}": w["pid"] for w in status["workers"]},
            **{f"agent {m['name']}": m["pid"] for m in status["modules"]}}


def found(running, pin=PIN):
    return {name: len(places(pid, pin)) for name, pid in processes(running).items() if places(pid, pin)}


def environments(running):
    texts = {}
    for name, pid in processes(running).items():
        with open(f"/proc/{pid}/environ", "rb") as file:
            texts[name] = file.read()
    return texts


@pytest.fixture
def long_pin(folder):
    return SoftHsm(folder / "hsm", pin=PIN)


def service(port, target, identity):
    return (f"[service s]\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nidentity = {identity}\n"
            f"connect = 127.0.0.1:{target}\nconnect_tls = none\n")


def once(port, authority):
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"x")
        return s.recv(1) == b"x"


def token_command(running, command, said=None):
    result = subprocess.run([str(YETT), "token", command, "-c", str(running.config), "token"], input=said, text=True,
                            capture_output=True, timeout=60 * PATIENCE)
    assert result.returncode == 0, result


def from_environment(token):
    return "\n".join("pin = env:YETT_TEST_SECRET" if x.startswith("pin =") else x
                     for x in token.settings().splitlines()) + "\n"


@pytest.mark.skipif(b"__asan_init" in YETT.read_bytes(), reason="the sanitizer keeps a copy of the environment itself")
def test_pin_of_the_environment_is_in_no_memory_after_a_logout(yett, authority, long_pin, echo, port):
    uri = long_pin.put(authority.localhost, "server")
    long_pin.pin_file.unlink()
    configuration = from_environment(long_pin) + service(port, echo.port, uri)
    running = yett(configuration, environment={"YETT_TEST_SECRET": PIN, "YETT_TEST_KEPT": "kept-variable"})
    assert once(port, authority)
    # In use: in the supervisor, which gives it to each agent, and in the agent; once each, and not in the environment.
    have = found(running)
    assert have.get("supervisor") == 1 and set(have) <= {"supervisor", "agent token"}, have
    for name, text in environments(running).items():
        assert PIN.encode() not in text and b"YETT_TEST_KEPT=kept-variable" in text, name
    running.command("reload")
    assert once(port, authority)
    assert found(running).get("supervisor") == 1
    token_command(running, "logout")
    wait_until(lambda: running.log_lines("token_logged_out"), "the agent to have logged out", 20 * PATIENCE)
    assert found(running) == {}


def test_pin_that_was_typed_is_in_no_memory_after_a_logout(yett, authority, long_pin, echo, port):
    uri = long_pin.put(authority.localhost, "server")
    running = yett(long_pin.settings() + service(port, echo.port, uri))
    token_command(running, "logout")
    wait_until(lambda: running.log_lines("token_logged_out"), "the agent to have logged out", 20 * PATIENCE)
    assert found(running) == {}
    token_command(running, "login", PIN + "\n")
    assert wait_until(lambda: once(port, authority), "a signature", 20 * PATIENCE)
    assert found(running).get("supervisor") == 1
    seen = len(running.log_lines("token_logged_out"))
    token_command(running, "logout")
    wait_until(lambda: len(running.log_lines("token_logged_out")) > seen, "the agent to have logged out", 20 * PATIENCE)
    assert found(running) == {}


def test_variable_that_is_named_later_is_no_secret_any_more(yett, authority, long_pin, echo, port):
    """NSS has taken in the environment by then: the PIN would stay in its memory."""
    authority_port = free_port()
    running = yett(f"[service plain]\nlisten = 127.0.0.1:{authority_port}\nlisten_tls = none\n"
                   f"connect = 127.0.0.1:{echo.port}\nconnect_tls = none\n", environment={"YETT_TEST_SECRET": PIN})
    running.configure(from_environment(long_pin) + service(port, echo.port, "pkcs11:token=test;object=server"))
    result = running.command("reload", check=False)
    assert result.returncode == 1
    assert "environment variable \"YETT_TEST_SECRET\" is read only at the start" in result.stderr


def test_supervisor_cannot_be_looked_into_by_its_user(yett, port, echo):
    nobody = pwd.getpwnam("nobody")
    running = yett(f"[service plain]\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                   f"connect = 127.0.0.1:{echo.port}\nconnect_tls = none\n", user=nobody)
    for name, pid in processes(running).items():
        for file in ("mem", "environ"):
            tried = subprocess.run(["head", "-c1", f"/proc/{pid}/{file}"], capture_output=True, text=True,
                                   user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
            assert "Permission denied" in tried.stderr, (name, file, tried)
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            assert re.search(r"^Max core file size +0 +0 ", limits.read(), re.MULTILINE), name
