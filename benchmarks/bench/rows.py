"""What is measured. A row starts every proxy it has, warms each, and then takes turns: one measurement of each proxy, in the
order of the table and next time backwards, so that what else the machine does meanwhile falls on all alike."""
import contextlib
import dataclasses
import re
import time

from .proxies import Setup
from .work import Failed, NotHere, free_port, progress, proportional_kib, wait_for_port

IDLE_SECONDS = 10  # before the memory of idle connections is read: what a proxy gives back, it gives back by then
THREADS = 4
RESUMED_SHARE_MIN = 0.8  # on the connecting side, where some proxies lose a session now and then: the share is printed


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number of a row: its line in the table."""
    key: str
    unit: str
    beside: str = ""      # another number of the turn, a rate each second, that is printed in brackets
    digits: int = 0
    compared: bool = True  # less is better, and ratios are printed


MICROSECONDS = Figure("us", "µs", beside="per_second")


class Row:
    figures = (MICROSECONDS,)
    turns_max = 1000

    def __init__(self, key, title, count=0, *args):
        self.key, self.title, self.count, self.args = key, title, count, args

    def takes(self, spec):
        return True

    def not_here(self, work, spec):
        """Why this proxy cannot, or None."""
        return None

    @contextlib.contextmanager
    def start(self, work, spec):
        """Gives what warm() and turn() are called with."""
        with spec.kind(work, spec, self.setup(work)) as proxy:
            yield proxy

    @contextlib.contextmanager
    def prepared(self, work, scale):
        """Around all of it: what the row needs beside proxies."""
        self.scaled = max(self.count // scale, 20)
        yield

    def setup(self, work):
        return Setup()

    def warm(self, proxy):
        pass

    def turn(self, proxy):
        raise NotImplementedError


class Handshakes(Row):
    """Connections one after the other: handshake, one byte there and back, close."""

    def __init__(self, key, title, count, *args, certificate="ecdsa", resumed=False):
        super().__init__(key, title, count, *args)
        self.certificate, self.resumed = certificate, resumed

    def setup(self, work):
        return Setup(key=self.certificate)

    def load(self, proxy, count):
        resume = ("--resume",) if self.resumed else ()
        return proxy.work.load("handshakes", proxy.port, "--count", count, "--threads", THREADS, *resume, *self.args)

    def warm(self, proxy):
        self.judge(self.load(proxy, max(40, self.scaled // 10)))

    def judge(self, r):
        if r["failed"]:
            raise Failed(f"{r['failed']} of {r['count']} connections failed")
        if r["resumed"] != (r["count"] if self.resumed else 0):
            raise Failed(f"{r['resumed']} of {r['count']} sessions resumed")

    def turn(self, proxy):
        with proxy.measured() as m:
            r = self.load(proxy, self.scaled)
        self.judge(r)
        return {"us": m["cpu"] / r["count"] * 1e6, "per_second": r["count"] / r["seconds"],
                "tickets": r["tickets"] / r["count"]}


class ClientCertificates(Handshakes):
    """Full handshakes in which the client has to show a certificate, two below a root that the proxy trusts."""

    @contextlib.contextmanager
    def prepared(self, work, scale):
        self.args = ("--identity", work.file("chain.pem"))
        with super().prepared(work, scale):
            yield

    def setup(self, work):
        return Setup(client_ca=work.file("root.crt"))

    def warm(self, proxy):
        refuses(proxy, "a client without a certificate")
        super().warm(proxy)


class Connecting(Handshakes):
    """The other way round: clients in plain text, and a TLS server of load's with a certificate two below a root. Chain and
    name are verified: a proxy that takes a certificate from nobody we know of is not measured."""

    def takes(self, spec):
        return spec.kind.connects

    @contextlib.contextmanager
    def prepared(self, work, scale):
        self.args, tickets = ("--plain",), 2 if self.resumed else 0
        with super().prepared(work, scale), serving(work, "ecdsa.pem", 0) as (self.stranger_port, _), \
                serving(work, "chain.pem", tickets) as (self.server_port, self.server):
            yield

    @contextlib.contextmanager
    def start(self, work, spec):
        with spec.kind(work, spec, Setup(server_port=self.stranger_port, server_ca=work.file("root.crt"))) as proxy:
            refuses(proxy, "a server that nobody vouches for", "--plain")
        with super().start(work, spec) as proxy:
            yield proxy

    def setup(self, work):
        return Setup(server_port=self.server_port, server_ca=work.file("root.crt"))

    def load(self, proxy, count):
        return proxy.work.load("handshakes", proxy.port, "--count", count, "--threads", THREADS, *self.args)

    def judge(self, r):
        if r["failed"]:
            raise Failed(f"{r['failed']} of {r['count']} connections failed")

    def turn(self, proxy):
        self.server.ask("")
        out = super().turn(proxy)
        seen = self.server.ask("")
        share = seen["resumed"] / max(seen["accepted"], 1)
        if not (share == 0 if not self.resumed else share >= RESUMED_SHARE_MIN):
            raise Failed(f"{seen['resumed']} of {seen['accepted']} sessions resumed")
        return {**out, "resumed_share": share}


@contextlib.contextmanager
def serving(work, identity, tickets):
    port = free_port()
    server = work.asked("tls-server", port, "--identity", work.file(identity), "--tickets", tickets)
    try:
        wait_for_port(port, process=server.process)
        yield port, server
    finally:
        server.close()


def refuses(proxy, whom, *args):
    r = proxy.work.load("handshakes", proxy.port, "--count", 8, *args)
    if r["failed"] != r["count"]:
        raise Failed(f"let {r['count'] - r['failed']} of {r['count']} connections pass with {whom}")


class Hybrid(Handshakes):
    """The group of a classical and a post-quantum key exchange, where the libraries have it."""
    group = "X25519MLKEM768"
    nss_min = (3, 105)

    def not_here(self, work, spec):
        nss = re.search(r"NSS (\d+)\.(\d+)", spec.version)
        if nss and tuple(map(int, nss.groups())) < self.nss_min:
            return nss.group()
        return None if work.versions["hybrid"] else f"OpenSSL {work.versions['openssl']}"

    def setup(self, work):
        return Setup(groups=self.group)


class Echo(Row):
    """Bytes there and back as fast as they go, on connections that are there already."""

    def __init__(self, key, title, mib, connections):
        super().__init__(key, title, mib)
        self.connections = connections

    @contextlib.contextmanager
    def start(self, work, spec):
        with super().start(work, spec) as proxy:
            proxy.flows = work.asked("echo", proxy.port, "--connections", self.connections)
            try:
                yield proxy
            finally:
                proxy.flows.close()

    def warm(self, proxy):
        self.echo(proxy, 16)

    def echo(self, proxy, mib):
        r = proxy.flows.ask(mib)
        if not r["ok"]:
            raise Failed("the echo came back changed, or a connection ended")
        return r

    def turn(self, proxy):
        with proxy.measured() as m:
            r = self.echo(proxy, self.scaled)
        return {"us": m["cpu"] / r["mib"] * 1e6, "per_second": r["mib"] / r["seconds"]}


class Idle(Row):
    """Memory of connections that say nothing, opened three times: over what there was before; then, when all have been
    closed, over what they left; and as many again beside them, which no baseline can make larger or smaller."""
    figures = (Figure("again", "KiB over what a first opening left", digits=1),
               Figure("first", "KiB of the first opening", digits=1),
               Figure("further", "KiB of as many further ones", digits=1))
    turns_max = 1  # each takes a proxy that has just started

    def memory(self, proxy):
        time.sleep(IDLE_SECONDS)
        return proportional_kib(proxy.pids())

    def turn(self, proxy):
        proxy.work.load("handshakes", proxy.port, "--count", 200, "--threads", THREADS, *self.args)
        held = proxy.work.asked("idle", proxy.port, *self.args)
        try:
            before = self.memory(proxy)
            held.ask(f"+{self.scaled}")
            first = self.memory(proxy)
            held.ask("-")
            left = self.memory(proxy)
            held.ask(f"+{self.scaled}")
            again = self.memory(proxy)
            held.ask(f"+{self.scaled}")
            further = self.memory(proxy)
        finally:
            held.close()
        return {"first": (first - before) / self.scaled, "again": (again - left) / self.scaled,
                "further": (further - again) / self.scaled, "base_kib": before, "left_kib": left}


class Growth(Row):
    """Memory that many connections leave behind: full handshakes of both versions, and resumed ones, in ten parts. What a
    proxy keeps of the first part is its own business; what the others add to it is a leak, or nearly one."""
    figures = (Figure("growth", "KiB more than after the first tenth", compared=False),
               Figure("after", "KiB after all of them", compared=False))
    turns_max = 1
    parts = 10
    kinds = ((), ("--tls", "1.2"), ("--resume",), ("--tls", "1.2", "--resume"))

    def turn(self, proxy):
        sizes = []
        for _ in range(self.parts):
            for kind in self.kinds:
                r = proxy.work.load("handshakes", proxy.port, "--count", self.scaled // self.parts // len(self.kinds),
                                    "--threads", THREADS, *kind)
                if r["failed"]:
                    raise Failed(f"{r['failed']} of {r['count']} connections failed")
            time.sleep(IDLE_SECONDS)
            sizes.append(proportional_kib(proxy.pids()))
        return {"growth": sizes[-1] - sizes[0], "after": sizes[-1], "sizes_kib": sizes}


def measure(row, work, specs, turns, scale):
    """{spec name: {"turns": [{...}, ...]} or {"not_here": why} or {"failed": why}}"""
    result, taking = {}, []
    with contextlib.ExitStack() as stack:
        stack.enter_context(row.prepared(work, scale))
        for spec in (s for s in specs if row.takes(s)):
            try:
                why = row.not_here(work, spec)
                if why:
                    raise NotHere(why)
                proxy = stack.enter_context(row.start(work, spec))
                row.warm(proxy)
                taking.append((spec, proxy))
                result[spec.name] = {"turns": []}
            except NotHere as e:
                result[spec.name] = {"not_here": str(e)}
            except Failed as e:
                result[spec.name] = {"failed": str(e)}
        count = min(turns, row.turns_max)
        for turn in range(count):
            progress(f"{row.title}: turn {turn + 1} of {count}")
            for spec, proxy in taking if turn % 2 == 0 else reversed(taking):
                if "turns" not in result[spec.name]:
                    continue
                try:
                    result[spec.name]["turns"].append(row.turn(proxy))
                except Failed as e:
                    result[spec.name] = {"failed": str(e)}
    return {spec.name: result[spec.name] for spec in specs if spec.name in result}
