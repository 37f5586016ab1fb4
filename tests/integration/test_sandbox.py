"""What code inside a worker can do: sandbox-probe.so tries, from within a worker that serves.

SECURITY.md has the table that these tests print (pytest -s)."""
import os
import pwd
import re
import socket
import struct

import pytest
from conftest import BUILD, PATIENCE, SANDBOX_PROBE, connect
from peers import EchoServer, free_port, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run yett as somebody else")

NOBODY = pwd.getpwnam("nobody")

# What seccomp refuses, whatever the kernel has besides.
SECCOMP = {
    "exec": "EPERM", "exec_memory": "EPERM", "fork": "EPERM", "fork_call": "EPERM", "fork_clone3": "ENOSYS",
    "trace_supervisor": "EPERM", "trace_sibling": "EPERM", "read_sibling_memory": "EPERM",
    "read_supervisor_memory": "EACCES", "read_supervisor_environment": "EACCES",
    "signal_supervisor": "EPERM", "signal_sibling": "EPERM", "signal_group": "EPERM", "signal_pidfd": "EPERM",
    "signal_by_descriptor": "ENOSYS", "signal_self": "done", "limit_sibling": "ENOSYS", "priority_sibling": "ENOSYS",
    "bind_tcp": "EPERM", "bind_udp": "EPERM", "listen": "EPERM", "control_socket": "EPERM",
    "open_write": "EACCES", "open_read_write": "EACCES", "open_create": "ENOSYS", "open_truncate": "ENOSYS",
    "open_openat2": "ENOSYS", "truncate": "ENOSYS", "unlink": "ENOSYS", "rename": "ENOSYS", "read_shadow": "EACCES",
    "read_hosts": "done", "socket_raw": "ENOSYS", "socket_packet": "EAFNOSUPPORT", "socket_netlink": "EAFNOSUPPORT",
    "socket_alg": "EAFNOSUPPORT", "socket_vsock": "EAFNOSUPPORT", "socket_pair": "ENOSYS", "io_uring": "ENOSYS",
    "userfaultfd": "EPERM", "bpf": "EPERM", "perf_event": "EPERM", "keyctl": "EPERM", "mount": "EPERM",
    "unshare_user": "EPERM", "unshare_network": "EPERM", "chroot": "EPERM", "become_root": "ENOSYS",
    "write_and_execute": "ENOSYS", "make_executable": "ENOSYS", "unknown_call": "ENOSYS", "free_thread": "EPERM",
}
# What only Landlock refuses, and from which of its versions on.
LANDLOCK = {"read_private": ("EACCES", 1), "list_private": ("EACCES", 1), "connect_other_port": ("EACCES", 4),
            "abstract_socket": ("EPERM", 6)}


def kernel_landlock():
    """The version this kernel has, 0 for none."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, libc.syscall(444, None, 0, 1))


def expected(landlock):
    table = dict(SECCOMP)
    for name, (error, since) in LANDLOCK.items():
        table[name] = error if landlock >= since else "done"
    return table


def is_sanitized():
    return b"__asan_init" in (BUILD / "proxy/yett").read_bytes()


def frame(kind, uri, rest=b""):
    """A request to an agent: tokens/wire.h. Types: 1 FIND, 2 SIGN, 6 LIST."""
    payload = struct.pack(">BIIH", kind, 7, 20000, len(uri)) + uri.encode() + rest
    return (struct.pack(">I", len(payload)) + payload).hex()


class Probe:
    """A yett with http-proxy whose workers run the probe when they are asked for a name of it."""

    def __init__(self, yett, folder, *, user, settings="", landlock=None, extra="", environment=None):
        self.port = free_port()
        self.private = folder / "private"
        self.private.mkdir()
        (self.private / "key.pem").write_text("secret")
        self.writable = folder / "writable"
        self.writable.write_text("mine")
        for path in (self.private, self.private / "key.pem", self.writable):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        self.elsewhere = EchoServer().__enter__()
        self.abstract = socket.socket(socket.AF_UNIX)
        abstract = f"yett-probe-{os.getpid()}-{self.port}"
        self.abstract.bind("\0" + abstract)
        self.abstract.listen()
        environment = {"LD_PRELOAD": str(SANDBOX_PROBE), "PROBE_PRIVATE": str(self.private / "key.pem"),
                       "PROBE_WRITABLE": str(self.writable), "PROBE_CONTROL": str(folder / "yett0/c.sock"),
                       "PROBE_ABSTRACT": abstract, "PROBE_PORT": str(self.elsewhere.port),
                       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
                       **(environment or {})}
        if landlock is not None:
            environment["PROBE_LANDLOCK"] = str(landlock)
        self.configuration = (f"[service out]\nprotocol = http-proxy\nlisten = 127.0.0.1:{self.port}\nlisten_tls = none\n"
                         "allow_target = *:443\nrevocation = off\n")
        self.yett = yett(self.configuration + extra, settings=settings, environment=environment, user=user)

    def run(self, before=lambda: None):
        """{what was tried: what came of it}. before(): called when a worker has a client, and that has asked nothing."""
        workers = list(self.yett.workers().values())
        assert len(workers) == 2
        name = f"probe.s{self.yett.process.pid}.w{workers[0]}.w{workers[1]}.test"
        with connect(self.port) as s:
            wait_until(lambda: self.yett.counter("connections_total") > 0, "a worker to accept", 20 * PATIENCE)
            before()
            s.sendall(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
            s.settimeout(60 * PATIENCE)
            s.recv(1000)
        wait_until(lambda: "probe end" in self.yett.log(), "the probe to end", 60 * PATIENCE)
        return dict(re.findall(r"^probe (\w+) (\w+)$", self.yett.log(), re.MULTILINE))

    def close(self):
        self.abstract.close()
        self.elsewhere.__exit__(None, None, None)


def show(title, got):
    print(f"\n{title}")
    for name, result in got.items():
        print(f"  {name:28} {result}")


# The kernel's own Landlock, none, and versions that Debian's kernels have had (6.1: 2) and that came between.
@pytest.mark.parametrize("limit", [None, 0, 2, 5], ids=["landlock", "no landlock", "landlock 2", "landlock 5"])
def test_what_code_in_a_worker_can_do_where_all_run_as_one_user(yett, folder, limit):
    """As under systemd: the workers' user is the supervisor's, and the key files' too."""
    landlock = kernel_landlock() if limit is None else min(limit, kernel_landlock())
    probe = Probe(yett, folder, user=NOBODY, landlock=limit)
    got = probe.run()
    probe.close()
    show(f"one user, Landlock {landlock}", got)
    want = expected(landlock)
    if is_sanitized():  # its leak checker is let in by the filter; other walls stand behind
        for name in ("trace_supervisor", "trace_sibling"):
            want[name] = "EPERM"
    assert got == want
    held = {w["sandbox"] for w in probe.yett.status()["workers"]}
    assert len(held) == 1
    assert held.pop().startswith(f"seccomp, Landlock {landlock}" if landlock else "seccomp, no Landlock")
    assert [x for x in probe.yett.log_lines("control_refused") if "started by yett itself" in x["reason"]]
    assert probe.writable.read_text() == "mine"


def test_what_code_in_a_worker_can_do_that_has_given_root_up(yett, folder):
    """Started as root, with [yett] user."""
    probe = Probe(yett, folder, user=None, settings="user = nobody\n")
    got = probe.run()
    probe.close()
    show("user = nobody", got)
    assert got == {**expected(kernel_landlock()), "control_socket": "EACCES"}


def test_worker_that_stays_root_is_held_all_the_same(yett, folder):
    """Nobody should, but the walls do not ask for the user."""
    probe = Probe(yett, folder, user=None)
    got = probe.run()
    probe.close()
    show("root", got)
    want = expected(kernel_landlock())
    if kernel_landlock() == 0:
        want.update(read_supervisor_memory="done", read_supervisor_environment="done")
    # root may read it, and it is in /etc, which name services need
    assert got == {**want, "read_shadow": "done"}


# ---- the token agents ----

def agent_frames(folder, own, other):
    return {"PROBE_AGENT": str(folder / "yett0/agent-token.sock"), "PROBE_AGENT_OWN": frame(1, own),
            "PROBE_AGENT_FIND": frame(1, other), "PROBE_AGENT_LIST": frame(6, other, struct.pack(">HQ", 0, 0)),
            "PROBE_AGENT_SIGN": frame(2, other, struct.pack(">QBBHH", 0, 1, 0, 0, 32) + bytes(32))}


def tls_service(port, identity):
    return (f"[service tls]\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nidentity = {identity}\n"
            "connect = 127.0.0.1:443\nconnect_tls = none\n")


AGENT_REFUSES = {"agent_own_key": "done", "agent_other_key_find": "EPERM", "agent_other_key_sign": "EPERM",
                 "agent_other_list": "EPERM"}


def agent_part(got):
    return {k: v for k, v in got.items() if k.startswith("agent_")}


def test_agent_signs_for_a_worker_only_what_its_configuration_names(yett, folder, authority, token):
    own, other = token.put(authority.localhost, "server", "01"), token.put(authority.alice, "other", "02")
    probe = Probe(yett, folder, user=None, extra=token.settings() + tls_service(free_port(), own),
                  environment=agent_frames(folder, own, other))
    got = probe.run()
    probe.close()
    show("an agent, asked by a worker", agent_part(got))
    assert agent_part(got) == AGENT_REFUSES
    assert "does not name" in probe.yett.wait_for_log("what its configuration does not name")


def test_agent_signs_for_an_old_worker_only_what_its_own_generation_names(yett, folder, authority, token):
    """The other key is in force, for the new workers."""
    own, other = token.put(authority.localhost, "server", "01"), token.put(authority.alice, "other", "02")
    tls_port = free_port()
    probe = Probe(yett, folder, user=None, extra=token.settings() + tls_service(tls_port, own),
                  environment=agent_frames(folder, own, other))

    def reload():
        probe.yett.configure(probe.configuration + token.settings() + tls_service(tls_port, other))
        probe.yett.command("reload")

    got = probe.run(before=reload)
    probe.close()
    assert agent_part(got) == AGENT_REFUSES


def test_check_asks_the_running_agents_for_a_new_configuration(yett, folder, authority, token):
    """An administrator's program is no worker."""
    own, other = token.put(authority.localhost, "server", "01"), token.put(authority.alice, "other", "02")
    tls_port = free_port()
    running = yett(token.settings() + tls_service(tls_port, own))
    running.configure(token.settings() + tls_service(tls_port, other))
    result = running.command("check")
    assert "asking the running yett for module token" in result.stderr, result
