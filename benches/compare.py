#!/usr/bin/env python3
"""Measures dupaudit beside what people would use instead, on the same input, in turn.

  benches/compare.py [WORK...] [--scale PART] [--runs N] [--keep]

Works: jsonl full csv csv-quoted kcat keys parquet gzip members topic growth startup (default: all).
Generates the data with its expected answer, installs the peers below target/bench, checks every
answer, and prints wall time, CPU time and peak memory, the best of the runs, and which part of
theirs dupaudit takes. DUPAUDIT=PATH measures that build, PROGRAMS=FOLDER has `generate` and `bare`
built; the broker is its own.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target" / "bench"
PYTHON = BENCH / "venv" / "bin" / "python"
PEERS = Path(__file__).resolve().parent / "peers.py"
DUPAUDIT = os.environ.get("DUPAUDIT", str(ROOT / "target" / "release" / "dupaudit"))
MILLION = 1_000_000


class Wrong(Exception):
    """An answer that is not the expected one."""


def cargo_binary(name):
    """Builds a program of benches/ and returns its path."""
    if "PROGRAMS" in os.environ:
        return os.path.join(os.environ["PROGRAMS"], name)
    command = ["cargo", "bench", "--bench", name, "--no-run", "--message-format", "json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    built = [json.loads(line) for line in lines.splitlines()]
    paths = [b["executable"] for b in built if b.get("executable")]
    return paths[-1]


def measure(command, environment=None):
    """Runs a command; returns seconds, CPU seconds, peak MiB, exit code and output."""
    environment = {**os.environ, **(environment or {})}
    started = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, env=environment)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - started
    cpu = usage.ru_utime + usage.ru_stime
    return seconds, cpu, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status), output


class Contender:
    """A program, the command that does the work, and how its answer is read."""

    def __init__(self, name, command, answer=None, codes=(0,)):
        self.name, self.command, self.codes = name, command, codes
        self.answer = answer or (lambda output: json.loads(output)["groups"])
        self.runs = []

    def run(self, expected):
        seconds, cpu, peak, code, output = measure(self.command)
        if code not in self.codes:
            raise Wrong(f"{self.name} ended with {code}")
        found = self.answer(output)
        if expected is not None and found is not None and found != expected:
            raise Wrong(f"{self.name} says {found}, expected {expected}")
        self.runs.append((seconds, cpu, peak))

    def best(self):
        return tuple(min(column) for column in zip(*self.runs))


def dupaudit(arguments, name="dupaudit"):
    report = BENCH / "report.json"

    def groups(_):
        with open(report) as file:
            head = file.read(1 << 16)
        summary = head[head.index('"summary"'):]
        return int(summary[summary.index('"groups":') + 9:].split(",")[0])

    command = [DUPAUDIT, "scan", *map(str, arguments), "-q", "--top", "0", "-o", str(report)]
    return Contender(name, command, groups, codes=(1,))


def peer(name, work, file, *more):
    command = [str(PYTHON), str(PEERS), name, work, str(file), *map(str, more)]
    return Contender(name, command)


def shell(name, script):
    return Contender(name, ["bash", "-c", script], lambda output: int(output.split()[0]))


def count_only(name, command):
    return Contender(name, [str(part) for part in command], lambda _: None)


class Data:
    """Files made once, each with the number of groups in it."""

    def __init__(self, scale, keep):
        self.scale, self.keep = scale, keep
        self.generate = cargo_binary("generate")
        self.bare = cargo_binary("bare")

    def records(self, millions):
        return max(10_000, int(millions * MILLION * self.scale))

    def file(self, kind, millions, size=300, answer="answer"):
        records = self.records(millions)
        path = BENCH / f"{kind}-{records}-{size}"
        if not path.exists():
            part = path.with_suffix(".part")
            with open(part, "wb") as out:
                command = [self.generate, kind, str(records), str(size)]
                subprocess.run(command, stdout=out, check=True)
            part.rename(path)
        command = [self.generate, answer, str(records)]
        expected = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        # All find it in the page cache.
        subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL, check=True)
        return path, expected["groups"]

    def drop(self, path):
        if not self.keep:
            path.unlink(missing_ok=True)


def contest(title, contenders, expected, runs):
    """Runs all in turn and prints the table."""
    print(f"\n### {title}\n", flush=True)
    for _ in range(runs):
        for contender in list(contenders):
            try:
                contender.run(expected)
            except (Wrong, ValueError, OSError) as error:
                print(f"{contender.name}: {error}", file=sys.stderr)
                contenders.remove(contender)
                if contender.name == "dupaudit":
                    raise
    own = contenders[0].best()
    print("| program | seconds | CPU seconds | peak MiB | dupaudit's part: time | CPU |")
    print("|---|---:|---:|---:|---:|---:|")
    for contender in contenders:
        seconds, cpu, peak = contender.best()
        parts = f"{own[0] / seconds:.2f} | {own[1] / max(cpu, 0.01):.2f}"
        print(f"| {contender.name} | {seconds:.2f} | {cpu:.2f} | {peak:.0f} | {parts} |")
    sys.stdout.flush()


def jsonl(data, runs):
    file, expected = data.file("jsonl", 10)
    cut = f"grep -o '\"charge_id\":\"[^\"]*' {file} | LC_ALL=C sort -S 2G | uniq -d | wc -l"
    contest("JSON Lines, 10 M records, groups by `charge_id`", [
        dupaudit([file, "--by", "charge_id"]),
        count_only("bare loop: reads and counts lines", [data.bare, "lines", file]),
        peer("duckdb", "jsonl", file),
        peer("clickhouse", "jsonl", file),
        peer("polars", "jsonl", file),
        shell("grep, sort, uniq", cut),
    ], expected, runs)
    return file


def full(data, runs):
    file, expected = data.file("jsonl", 10)
    contest("JSON Lines, 10 M records, groups with first and last time and amount", [
        dupaudit([file, "--by", "charge_id", "--map", "timestamp=created_at",
                  "--amount", "amount", "--currency", "currency"]),
        peer("duckdb", "jsonl-full", file),
    ], expected, runs)
    return file


def csv(data, runs, kind="csv"):
    file, expected = data.file(kind, 10, 190)
    title = "CSV, 10 M rows" + (", a newline in each" if kind == "csv-quoted" else "")
    contenders = [
        dupaudit([file, "--by", "charge_id"]),
        count_only("bare loop: reads and counts lines", [data.bare, "lines", file]),
        peer("duckdb", "csv", file),
        peer("clickhouse", "csv", file),
        peer("polars", "csv", file),
    ]
    if kind == "csv":
        cut = f"cut -d, -f1 {file} | LC_ALL=C sort -S 2G | uniq -d | wc -l"
        contenders.append(shell("cut, sort, uniq", cut))
    contest(title, contenders, expected, runs)
    return file


def csv_quoted(data, runs):
    return csv(data, runs, "csv-quoted")


def kcat(data, runs):
    file, expected = data.file("kcat", 1)
    contest("`kcat -J` envelopes, 1 M records", [
        dupaudit([file, "--by", "charge_id"]),
        count_only("bare loop: reads and counts lines", [data.bare, "lines", file]),
        peer("duckdb", "kcat", file),
        peer("clickhouse", "kcat", file),
    ], expected, runs)
    return file


def keys(data, runs):
    file, expected = data.file("keys", 50, 0, "answer-keys")
    own = dupaudit([file, "--by", "id", "--memory", "512MB"])
    if expected == 0:
        # Few keys have no copies among them.
        own.codes = (0,)
    contest("50 M short keys, memory limit 512 MB", [
        own,
        peer("duckdb", "keys", file, "512MB"),
    ], expected, runs)
    return file


def parquet(data, runs):
    lines, expected = data.file("jsonl", 10)
    file = BENCH / "charges.parquet"
    subprocess.run([str(PYTHON), str(PEERS), "duckdb", "to-parquet", str(lines), str(file)],
                   check=True)
    contest("Parquet, 10 M records", [
        dupaudit([file, "--by", "charge_id"]),
        peer("duckdb", "parquet", file),
        peer("polars", "parquet", file),
        peer("clickhouse", "parquet", file),
    ], expected, runs)
    data.drop(file)
    return lines


def gzip(data, runs):
    lines, expected = data.file("jsonl", 2)
    file = BENCH / "charges.jsonl.gz"
    with open(file, "wb") as out:
        subprocess.run(["gzip", "-1", "-c", str(lines)], stdout=out, check=True)
    contest("gzip of one member, 2 M records", [
        dupaudit([file, "--by", "charge_id"]),
        count_only("gzip -dc", ["gzip", "-dc", file]),
        peer("duckdb", "jsonl", file),
    ], expected, runs)
    data.drop(file)
    return lines


def members(data, runs):
    """Logs that were rotated and packed one by one, and then put into one file."""
    lines, expected = data.file("jsonl", 2)
    for packer, unpack in (("gzip -1 -c", ["gzip", "-dc"]), ("zstd -q -c", ["zstd", "-dqc"])):
        suffix = {"gzip": "gz", "zstd": "zst"}[unpack[0]]
        file = BENCH / f"members.jsonl.{suffix}"
        with open(file, "wb") as out:
            subprocess.run(["split", "-C", "4M", f"--filter={packer}", str(lines)],
                           stdout=out, check=True)
        contest(f"{unpack[0]} of many members, 2 M records", [
            dupaudit([file, "--by", "charge_id"]),
            count_only(" ".join(unpack), [*unpack, file]),
            peer("duckdb", "jsonl", file),
        ], expected, runs)
        data.drop(file)
    return lines


class Broker:
    """A broker of Apache Kafka for the time of a contest, with its topic of charges."""

    def __init__(self, data):
        script = str(ROOT / "benches" / "broker.sh")
        self.process = subprocess.Popen([script], stdout=subprocess.PIPE, text=True)
        self.brokers = self.process.stdout.readline().strip()
        self.folder = Path(self.process.stdout.readline().strip())
        # 280 bytes of value, and the line end that kcat drops.
        lines, self.expected = data.file("jsonl", 5, 281)
        self.topic = f"charges-{data.records(5)}"
        self.wait()
        subprocess.run(["kcat", "-P", "-b", self.brokers, "-t", self.topic, "-z", "lz4",
                        "-X", "linger.ms=50", "-X", "queue.buffering.max.kbytes=262144",
                        "-l", str(lines)], check=True)
        data.drop(lines)

    def wait(self):
        for _ in range(60):
            probe = subprocess.run(["kcat", "-b", self.brokers, "-L", "-m", "2"],
                                   capture_output=True)
            if probe.returncode == 0:
                return
            time.sleep(1)
        raise Wrong(f"no broker at {self.brokers}")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def topic(data, runs):
    broker = Broker(data)
    libraries = BENCH / "kafka-4.1.0" / "libraries"
    records = data.records(5)
    own = dupaudit(["-b", broker.brokers, "-t", broker.topic, "--by", "charge_id"])
    try:
        contest("lz4 topic, 5 M records of 280 bytes", [
            own,
            count_only("bare rdkafka batch queue: counts",
                       [data.bare, "topic", broker.brokers, broker.topic]),
            count_only("Java ConsumerPerformance",
                       ["java", "-Xmx1g", "-cp", f"{libraries}/*",
                        "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server",
                        broker.brokers, "--topic", broker.topic, "--messages", records]),
            count_only("kcat -C -e -q", ["kcat", "-C", "-b", broker.brokers, "-t", broker.topic,
                                         "-o", "beginning", "-e", "-q"]),
        ], broker.expected, runs)
        segments = sorted((broker.folder / "log").glob(f"{broker.topic}-*"))
        own.runs = []
        contest("segment files of that topic", [
            dupaudit([*segments, "--by", "charge_id"], "dupaudit, the segment files"),
            own,
        ], broker.expected, runs)
    finally:
        broker.close()


def growth(data, runs):
    """Seconds and peak memory for 1, 10 and 50 million records, as a chart."""
    points = []
    for millions in (1, 10, 50):
        file, expected = data.file("keys", millions, 0, "answer-keys")
        contender = dupaudit([file, "--by", "id", "--memory", "512MB"])
        if expected == 0:
            contender.codes = (0,)
        for _ in range(runs):
            contender.run(expected)
        seconds, cpu, peak = contender.best()
        points.append((data.records(millions), seconds, cpu, peak))
        print(f"{data.records(millions)} records: {seconds:.2f} s, {cpu:.2f} s CPU, {peak:.0f} MiB")
        data.drop(file)
    (ROOT / "benches" / "growth.svg").write_text(chart(points))


def chart(points):
    """Draws CPU seconds and peak memory over records, both axes from zero."""
    width, height, left, top = 640, 320, 60, 30
    most_records = max(point[0] for point in points)
    most_seconds = max(point[2] for point in points) * 1.1
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="18">CPU seconds and peak memory over records, short keys, '
             '--memory 512MB</text>']
    scale = lambda value, most, length: value / most * length
    curves = ((2, most_seconds, "#1f6fb2", "s"), (3, 590, "#c2571a", "MiB"))
    for column, most, colour, unit in curves:
        path = []
        for point in points:
            x = left + scale(point[0], most_records, width - 2 * left)
            y = height - 40 - scale(point[column], most, height - 40 - top)
            path.append(f"{x:.0f},{y:.0f}")
            lines.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>')
            lines.append(f'<text x="{x - 12:.0f}" y="{y - 8:.0f}" fill="{colour}">'
                         f"{point[column]:.1f} {unit}</text>")
        lines.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="{colour}"/>')
    bottom = height - 40
    lines.append(f'<path d="M{left},{top} V{bottom} H{width - left}" fill="none" stroke="#444"/>')
    for point in points:
        x = left + scale(point[0], most_records, width - 2 * left)
        lines.append(f'<text x="{x - 10:.0f}" y="{bottom + 16}">{point[0] / MILLION:g} M</text>')
    return "\n".join([*lines, "</svg>", ""])


def startup(data, runs):
    """Milliseconds for a file of ten lines."""
    file = BENCH / "ten.jsonl"
    file.write_text("".join(f'{{"charge_id":"ch_{number}"}}\n' for number in [*range(9), 0]))
    contender = dupaudit([file, "--by", "charge_id"])
    for _ in range(max(20, runs)):
        contender.run(1)
    seconds, cpu, peak = contender.best()
    print(f"\n10 lines: {seconds * 1000:.1f} ms, {cpu * 1000:.1f} ms CPU, {peak:.0f} MiB")
    data.drop(file)


WORKS = {"jsonl": jsonl, "full": full, "csv": csv, "csv-quoted": csv_quoted, "kcat": kcat,
         "keys": keys, "parquet": parquet, "gzip": gzip, "members": members, "topic": topic,
         "growth": growth, "startup": startup}


def prepare():
    BENCH.mkdir(parents=True, exist_ok=True)
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(BENCH / "venv")], check=True)
        install = [str(PYTHON), "-m", "pip", "--quiet", "install"]
        subprocess.run([*install, "duckdb", "polars", "chdb"], check=True)
    if "DUPAUDIT" not in os.environ:
        subprocess.run(["cargo", "build", "--quiet", "--release"], cwd=ROOT, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help=" ".join(WORKS))
    parser.add_argument("--scale", type=float, default=1.0, help="part of the records")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="keep the data")
    options = parser.parse_args()
    unknown = [work for work in options.works if work not in WORKS]
    if unknown:
        parser.error(f"no such work: {' '.join(unknown)}")
    prepare()
    data = Data(options.scale, options.keep)
    free = shutil.disk_usage(BENCH).free >> 30
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, best of {options.runs}, "
          f"{free} GiB free on the disk, {os.path.getsize(DUPAUDIT) >> 10} KiB of program")
    if options.scale != 1.0:
        print(f"{options.scale:g} of the records that the titles say")
    for work in options.works or WORKS:
        made = WORKS[work](data, options.runs)
        if made:
            data.drop(made)


if __name__ == "__main__":
    main()
