"""Many connections at once, every byte checked, and memory within the stated ceiling."""
import json
import pathlib
import subprocess

from conftest import BUILD, PATIENCE, SWARM
from peers import wait_until

CONNECTIONS, BYTES, SLOW_ONE_IN = 2000, 1 << 20, 10


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def test_two_thousand_connections_echo_a_mebibyte_each(yett, authority, folder, port):
    """One in ten reads slowly. The echo server is benchmarks' (C): Python's could not keep up."""
    from peers import free_port, listens
    echo_port = free_port()
    echo = subprocess.Popen([BUILD / "benchmarks/load", "echo-server", str(echo_port)])
    try:
        wait_until(lambda: listens(echo_port), "the echo server")
        running = yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                       f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo_port}\nconnect_tls = none\n"
                       "connections_per_address_max = 0\nhandshake_timeout = 5m\n", settings="workers = 2\n")
        pids = running.workers().values()
        before = sum(map(resident_kib, pids))
        hold = folder / "hold"
        swarm = subprocess.Popen([SWARM, str(port), str(CONNECTIONS), str(BYTES), str(SLOW_ONE_IN), hold],
                                 stdout=subprocess.PIPE, text=True)
        wait_until(lambda: hold.exists() or swarm.poll() is not None, "half of the bytes", 300 * PATIENCE)
        used = (sum(map(resident_kib, pids)) - before) * 1024
        ceiling = running.status()["connection_memory_max_bytes"]
        if hold.exists():
            hold.unlink()
        out, _ = swarm.communicate(timeout=600 * PATIENCE)
        assert swarm.returncode == 0, out + running.log()[-3000:]
        assert json.loads(out) == {"connections": CONNECTIONS, "done": CONNECTIONS, "failed": 0,
                                   "bytes": CONNECTIONS * BYTES}
        print(f"{used / CONNECTIONS / 1024:.1f} KiB a connection with data in flight; ceiling {ceiling / 1024:.0f} KiB")
        if "asan" not in str(BUILD) and "tsan" not in str(BUILD):  # sanitizers' own memory is not ours
            assert used <= CONNECTIONS * ceiling
        wait_until(lambda: running.counter("connections_open") == 0, "all sessions to end")
        assert running.counter("truncations_total") == 0
        assert set(pids) == set(running.workers().values())
    finally:
        echo.terminate()
        echo.wait()

