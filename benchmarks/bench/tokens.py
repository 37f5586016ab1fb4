"""An established connection beside handshakes with a key on a token that takes its time."""
import contextlib
import os
import subprocess
import time

from .proxies import Setup
from .rows import Figure, Row
from .work import Failed, run

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"


class Token:
    """An EC key on SoftHSM behind the module that takes its time, and a certificate for it."""
    uri = "pkcs11:token=bench;object=bench"
    nginx_key = "engine:pkcs11:pkcs11:token=bench;object=bench;pin-value=1234"

    def __init__(self, work, slow_module, delay_ms):
        self.folder, self.module = work.folder / f"token-{delay_ms}", slow_module
        (self.folder / "tokens").mkdir(parents=True)
        for d in (self.folder, self.folder / "tokens"):
            d.chmod(0o777)
        conf = self.folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.folder}/tokens\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(conf), "YETT_TEST_MODULE": SOFTHSM,
                            "YETT_TEST_SIGN_DELAY_MS": str(delay_ms)}
        env = {**os.environ, "SOFTHSM2_CONF": str(conf)}
        run(["softhsm2-util", "--init-token", "--free", "--label", "bench", "--pin", "1234", "--so-pin", "1234"], env=env)
        key, der = self.folder / "token.key", self.folder / "token.der"
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key])
        self.certificate = self.folder / "token.crt"
        run(["openssl", "req", "-x509", "-key", key, "-out", self.certificate, "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        run(["openssl", "x509", "-in", self.certificate, "-outform", "DER", "-out", der])
        run(["softhsm2-util", "--import", key, "--token", "bench", "--label", "bench", "--id", "01", "--pin", "1234"],
            env=env)
        run(["pkcs11-tool", "--module", SOFTHSM, "--token-label", "bench", "--login", "--pin", "1234", "--write-object",
             der, "--type", "cert", "--id", "01", "--label", "bench"], env=env)
        self.pin = self.folder / "pin"
        self.pin.write_text("1234")
        self.pin.chmod(0o600)

    def yett_module(self):
        env = ", ".join(f"{k}={v}" for k, v in self.environment.items())
        return ("[module bench]", f"path = {self.module}", f"pin = file:{self.pin}", f"environment = {env}")

    def openssl_environment(self):
        engine = self.folder / "openssl.cnf"
        engine.write_text("openssl_conf = o\n[o]\nengines = e\n[e]\npkcs11 = p\n[p]\nengine_id = pkcs11\n"
                          f"MODULE_PATH = {self.module}\nPIN = 1234\ninit = 1\n")
        return {**self.environment, "OPENSSL_CONF": str(engine)}


def percentiles(times, name):
    times = sorted(times)
    return {f"p50_{name}": times[len(times) // 2], f"p99_{name}": times[len(times) * 99 // 100],
            f"max_{name}": times[-1]}


class Beside(Row):
    """Round trips on a connection that is there already, alone and beside something else, in turns: a machine changes from
    one minute to the next, and that would be called the something's doing otherwise."""

    @contextlib.contextmanager
    def prepared(self, work, scale):
        self.seconds = 1 if scale > 1 else 3
        work.echo_first(True)
        try:
            yield
        finally:
            work.echo_first(False)

    @contextlib.contextmanager
    def start(self, work, spec):
        with super().start(work, spec) as proxy:
            proxy.pings = work.asked("ping", proxy.port, first=True)
            try:
                yield proxy
            finally:
                proxy.pings.close()

    def warm(self, proxy):
        self.ping(proxy)

    def ping(self, proxy):
        return proxy.pings.ask(self.seconds)["times_ms"]


class BesideToken(Beside):
    """... while others shake hands on a slow token."""
    figures = (Figure("p99_alone", "p99 in ms, alone", digits=2, compared=False),
               Figure("p99_beside", "p99 in ms, beside them", digits=2, compared=False),
               Figure("times", "p99 beside them / alone", digits=2, compared=False))

    def __init__(self, key, slow_module, handshakes, delay_ms, takers):
        super().__init__(key, f"round trip of an established connection beside {handshakes} handshakes at once on a "
                              f"{delay_ms} ms token")
        self.slow_module, self.handshakes, self.delay_ms, self.takers = slow_module, handshakes, delay_ms, takers

    def takes(self, spec):
        return not spec.is_peer or spec.name in self.takers

    @contextlib.contextmanager
    def prepared(self, work, scale):
        self.token = Token(work, self.slow_module, self.delay_ms)
        with super().prepared(work, scale):
            yield

    def setup(self, work):
        return Setup(token=self.token)

    def turn(self, proxy):
        alone = self.ping(proxy)
        count = self.handshakes * ((self.seconds + 10) * 1000 // self.delay_ms + 1)
        others = subprocess.Popen(proxy.work.pinned("handshakes", proxy.port, "--count", count, "--threads",
                                                    self.handshakes), stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            beside = self.ping(proxy)
            if others.poll() is not None:
                raise Failed("the handshakes ended before the round trips beside them")
        finally:
            others.terminate()
            others.wait()
        out = {**percentiles(alone, "alone"), **percentiles(beside, "beside")}
        return {**out, "times": out["p99_beside"] / out["p99_alone"]}
