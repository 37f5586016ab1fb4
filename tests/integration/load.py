"""Load on a TLS port in front of an echo server, for tests that do something to yett meanwhile."""
import collections
import os
import threading
import time

from conftest import PATIENCE, connect
from peers import client_tls

Failure = collections.namedtuple("Failure", "when error local_port")


class Held:
    """A connection that stays open; echo() says whether it still carries bytes."""

    def __init__(self, port, authority):
        self.tls = client_tls(authority).wrap_socket(connect(port), server_hostname="localhost")
        self.local_port = self.tls.getsockname()[1]

    def echo(self, data=b"still here"):
        self.tls.sendall(data)
        got = b""
        while len(got) < len(data):
            part = self.tls.recv(len(data) - len(got))
            if not part:
                raise ConnectionError("closed")
            got += part
        return got == data

    def close(self):
        self.tls.close()


class Load:
    """`threads` clients that connect, check that some kilobytes come back, close in good order, and begin again.

    with Load(port, authority) as load: ...    load.done, load.failures"""

    def __init__(self, port, authority, threads=6, size=30000):
        self.port, self.size = port, size
        self.context = client_tls(authority)
        self.done, self.failures, self.longest = 0, [], 0.0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def once(self):
        data = os.urandom(self.size)
        raw = connect(self.port)
        try:
            self.local.port = raw.getsockname()[1]
            with self.context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.sendall(data)
                got = bytearray()
                while len(got) < len(data):
                    part = tls.recv(65536)
                    if not part:
                        raise ConnectionError(f"closed after {len(got)} of {len(data)} bytes")
                    got += part
                if got != data:
                    raise ValueError("other bytes came back")
                tls.unwrap()
        finally:
            raw.close()

    local = threading.local()

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            self.local.port = 0
            try:
                self.once()
            except (OSError, ValueError) as error:
                with self.lock:
                    self.failures.append(Failure(time.monotonic(), error, self.local.port))
            else:
                with self.lock:
                    self.done += 1
            with self.lock:
                self.longest = max(self.longest, time.monotonic() - began)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60 * PATIENCE)
            assert not thread.is_alive(), "a client of the load hangs"
