"""More handshakes offered than a proxy can make, and an established connection beside them."""
import time

from .rows import Figure
from .tokens import Beside, percentiles
from .work import Failed

LEAD_SECONDS, MARGIN_SECONDS = 1, 2  # of the flood, before and after the round trips beside it


class Flood(Beside):
    figures = (Figure("us", "µs for each one answered", beside="per_second"),
               Figure("p99_alone", "p99 in ms of an established connection, alone", digits=2, compared=False),
               Figure("p99_beside", "the same beside the flood", digits=2),
               Figure("refused_share", "% refused or not answered", compared=False))

    def __init__(self, key, rate):
        super().__init__(key, f"{rate:,} ClientHellos a second, P-256, TLS 1.3")
        self.rate = rate

    def turn(self, proxy):
        alone = self.ping(proxy)
        with proxy.measured() as m:
            flood = proxy.work.asked("flood", proxy.port, "--rate", self.rate, "--seconds",
                                     self.seconds + LEAD_SECONDS + MARGIN_SECONDS)
            time.sleep(LEAD_SECONDS)
            beside = self.ping(proxy)
            r = flood.answer()
            flood.close()
        if r["withheld"] or not r["answered"]:
            raise Failed(f"{r['answered']} answered, {r['withheld']} not even offered")
        return {**percentiles(alone, "alone"), **percentiles(beside, "beside"), "us": m["cpu"] / r["answered"] * 1e6,
                "per_second": r["answered_in_time"] / r["seconds"],
                "refused_share": 100 * (r["offered"] - r["answered"]) / r["offered"]}
