"""From the turns of each row to tables: medians, ratios with their spread, and what machine it was."""
import os
import pathlib
import platform
import statistics
import time

FEATURES = ("aes", "vaes", "pclmulqdq", "vpclmulqdq", "sha_ni", "avx2", "adx", "bmi2", "avx512f", "avx512ifma", "pmull",
            "sha2")


def cpuinfo(field):
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.split(":")[0].strip() in (field, {"flags": "Features"}.get(field)):
            return line.split(":", 1)[1].strip()
    return ""


def machine(specs, work, turns):
    flags = cpuinfo("flags").split()
    return {"date": time.strftime("%Y-%m-%d"), "processor": cpuinfo("model name") or platform.processor(),
            "cores": os.cpu_count(), "features": [f for f in FEATURES if f in flags],
            "features_missing": [f for f in FEATURES if f not in flags], "kernel": platform.release(),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""), "turns": turns,
            "openssl": work.versions["openssl"],
            "proxies": {s.name: {"version": s.version, "path": s.path, "settings": list(s.settings)} for s in specs}}


def header(m):
    proxies = ", ".join(" ".join([name, p["version"], *p["settings"]]) for name, p in m["proxies"].items())
    return (f"{m['date']}, {m['processor']}, one core of {m['cores']} ({' '.join(m['features'])}; without "
            f"{' '.join(m['features_missing']) or 'nothing'}), Linux {m['kernel']}, {m['system']}, OpenSSL "
            f"{m['openssl']}; {proxies}; medians of {m['turns']} turns")


def values(cell, key):
    return [turn[key] for turn in cell.get("turns", ())]


def ratio(cell, other, key):
    """Of one proxy's turns to another's: median, least and most."""
    ratios = [a / b for a, b in zip(values(cell, key), values(other, key)) if b > 0]
    if not ratios:
        return None
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}


def best_peer(cells, figure, peers):
    """The peer with the least median: one for all turns, since the least of each turn would be the luckiest."""
    medians = {n: statistics.median(values(cells[n], figure.key)) for n in peers
               if n in cells and values(cells[n], figure.key)}
    return min(medians, key=medians.get) if medians else None


def ratios(figure, cells, specs, base):
    """[{"of", "to", "median", "min", "max"}]: each yett to the best peer, and with --base everybody to that one."""
    out = []
    best = best_peer(cells, figure, [s.name for s in specs if s.is_peer])
    pairs = [(s.name, best) for s in specs if not s.is_peer and best]
    pairs += [(s.name, base) for s in specs if base and s.name != base]
    for name, to in pairs if figure.compared else ():
        r = ratio(cells.get(name, {}), cells.get(to, {}), figure.key)
        if r:
            out.append({"of": name, "to": to, **r})
    return out


def short(text):
    text = " ".join(text.split()).replace("|", "/")
    return text if len(text) <= 60 else text[:57] + "..."


def cell_text(cell, figure):
    if "not_here" in cell:
        return f"not here: {short(cell['not_here'])}"
    if "failed" in cell:
        return f"failed: {short(cell['failed'])}"
    v = values(cell, figure.key)
    if not v:
        return ""
    text = f"{statistics.median(v):,.{figure.digits}f}"
    if figure.beside:
        text += f" ({statistics.median(values(cell, figure.beside)):,.0f}/s)"
    return text


def ratio_text(found, of, to):
    for r in found:
        if r["of"] == of and (to is None or r["to"] == to):
            spread = "" if r["min"] == r["max"] else f" ({r['min']:.2f}–{r['max']:.2f})"
            return f"{r['median']:.2f}{spread}" + (f" {r['to']}" if to is None else "")
    return ""


def markdown(head, body):
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(line)} |" for line in body)]


def table(rows, results, specs, base):
    """Processor time with the rate beside it; then each yett's ratio to the best peer, which is named, and to the base."""
    names, yetts = [s.name for s in specs], [s.name for s in specs if not s.is_peer]
    with_peers = len(yetts) < len(names)
    head = ["processor time, and the rate reached", *names, *(f"{y} / best peer" for y in yetts if with_peers),
            *(f"{n} / {base}" for n in names if base and n != base)]
    body = []
    for row in rows:
        cells = results.get(row.key, {}).get("proxies", {})
        for figure in row.figures:
            found = results[row.key]["ratios"].get(figure.key, ()) if cells else ()
            if not any(values(c, figure.key) for c in cells.values()) and figure is not row.figures[0]:
                continue
            body.append([f"{row.title} ({figure.unit})", *(cell_text(cells.get(n, {}), figure) for n in names),
                         *(ratio_text([r for r in found if r["to"] != base or base not in yetts], y, None)
                           for y in yetts if with_peers),
                         *(ratio_text(found, n, base) for n in names if base and n != base)])
    lines = markdown(head, body)
    for key, title in (("tickets", "tickets sent on each connection"), ("resumed_share", "sessions resumed, of 1")):
        lines += counted(rows, results, names, key, title)
    return "\n".join(lines)


def counted(rows, results, names, key, title):
    """A table of what is not compared, of the rows that have any of it."""
    body = []
    for row in rows:
        cells = results.get(row.key, {}).get("proxies", {})
        found = {n: [turn[key] for turn in cells.get(n, {}).get("turns", ()) if key in turn] for n in names}
        if any(map(sum, found.values())):
            body.append([row.title, *(f"{statistics.mean(v):.2f}" if v else "" for v in found.values())])
    return ["", *markdown([title, *names], body)] if body else []
