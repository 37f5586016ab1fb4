"""Many services in one configuration: each is itself, and a reload changes those that have changed."""
import resource
import socket
import subprocess

import pytest
from conftest import PATIENCE, YETT, connect
from peers import EchoServer, client_tls, wait_until

SERVICES = 1500
CERTIFICATES = 5


def configuration(folder, targets, names):
    """A file of more than 1 MiB. Each service has a file of its own with its identity, though several have one certificate."""
    padding = "; " + 700 * "-" + "\n"
    return "".join(f"[service {name}]\n{padding}listen = unix:{folder}/{name}\nlisten_tls = implicit\n"
                   f"identity = file:{folder}/{name}.pem\nconnect = 127.0.0.1:{targets[i % len(targets)]}\n"
                   f"connect_tls = none\n" for i, name in names.items())


def hear(authority, folder, name, host, talk=True):
    """The certificate's name, and what an echo says."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(f"{folder}/{name}")
        with client_tls(authority).wrap_socket(s, server_hostname=host) as t:
            heard = None
            if talk:
                t.sendall(b"who")
                heard = t.recv(3)
            return dict(x[0] for x in t.getpeercert()["subject"])["commonName"], heard


def test_a_thousand_and_five_hundred_services(yett, authority, folder):
    certificates = [authority.server(f"host{i}.example.org") for i in range(CERTIFICATES)]
    names = {i: f"s{i}" for i in range(SERVICES)}
    for i in [*names, SERVICES]:
        pem = folder / f"s{i}.pem"
        pem.write_text(certificates[i % CERTIFICATES].pem.read_text())
        pem.chmod(0o600)

    with EchoServer() as one, EchoServer() as other:
        targets = [one.port, other.port]
        running = yett(configuration(folder, targets, names), settings="workers = 2\n")
        assert running.config.stat().st_size > 1024 * 1024

        def is_itself(i):
            host = f"host{i % CERTIFICATES}.example.org"
            return hear(authority, folder, f"s{i}", host) == (host, b"who")

        for i in range(0, SERVICES, 50):
            assert is_itself(i), i
        assert is_itself(SERVICES - 1)
        counted = {s["name"]: s["counters"]["connections_total"] for s in running.status()["services"]}
        assert len(counted) == SERVICES
        assert counted["s0"] == 1 and counted["s1"] == 0 and counted[f"s{SERVICES - 1}"] == 1

        # One goes, one comes, and the others have other places in the file; their sums do not go back.
        del names[0]
        names[SERVICES] = f"s{SERVICES}"
        running.configure(configuration(folder, targets, dict(reversed(names.items()))))
        running.command("reload", timeout=120)
        for i in (50, SERVICES - 1, SERVICES):
            assert is_itself(i), i
        assert not (folder / "s0").exists()
        wait_until(lambda: running.counter("connections_total", "s50") == 2, "what was counted of s50")
        assert running.counter("connections_total", f"s{SERVICES}") == 1
        assert "s0" not in {s["name"] for s in running.status()["services"]}

        # A service that is there twice is told with both places.
        running.configure(configuration(folder, targets, names) + "[service s700]\n")
        refused = running.command("reload", check=False, timeout=120)
        assert refused.returncode != 0 and "the section [service s700] is already at" in refused.stderr + refused.stdout
        assert is_itself(700)


def test_too_few_descriptors_are_told_at_once(yett, authority, folder):
    """In one sentence with what to do, not once for each of the sockets."""
    services = "".join(f"[service s{i}]\nlisten = unix:{folder}/s{i}\nlisten_tls = implicit\n"
                       f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:1\nconnect_tls = none\n"
                       for i in range(600))
    running = yett(services[:services.index("[service s9]")], settings="workers = 1\n")
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (700, 700))
    running.configure(services)
    refused = running.command("reload", check=False)
    said = refused.stderr + refused.stdout
    assert refused.returncode != 0 and "600 services and 1 workers take" in said and "LimitNOFILE" in said
    assert said.count("descriptors") == 1
    assert hear(authority, folder, "s0", "localhost", talk=False)[0] == "localhost"


def test_few_descriptors_are_enough_for_few_services(yett, authority, echo, port):
    """Reloads and all."""
    running = yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                   f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n",
                   settings="workers = 1\n", descriptors=140)
    context = client_tls(authority)
    for _ in range(2):
        open_ones = [context.wrap_socket(connect(port), server_hostname="localhost") for _ in range(10)]
        for s in open_ones:
            s.sendall(b"hello")
            assert s.recv(10) == b"hello"
            s.close()
        running.command("reload")
    assert "Too many open files" not in running.log()


@pytest.mark.parametrize("descriptors, said", [(80, "this process may have 80 descriptors, and needs at least "),
                                               (100, "1 services and 1 workers take ")])
def test_too_few_descriptors_say_how_many_are_needed(authority, folder, port, descriptors, said):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\nworkers = 1\ncontrol = {folder}/c.sock\n[service a]\nlisten = 127.0.0.1:{port}\n"
                      f"listen_tls = implicit\nidentity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:1\n"
                      "connect_tls = none\n")
    result = subprocess.run(["prlimit", f"--nofile={descriptors}:{descriptors}", YETT, "run", "-c", config], capture_output=True,
                            text=True, timeout=60 * PATIENCE)
    assert result.returncode == 1 and said in result.stderr and "ulimit -n" in result.stderr, result.stderr
