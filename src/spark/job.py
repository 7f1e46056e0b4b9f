"""Runs an audit on Spark: tasks run dupaudit, and Spark moves what they wrote. Nothing is judged here.

    extract  each task reads its splits; one sorted run of fingerprints for each radix
    suspects each radix is merged over all tasks; what is there twice is cut by task
    revisit  each task reads its suspects again

The blocks are files of dupaudit in pieces. What cannot be read is handed back with its reason.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

from pyspark import SparkContext, SparkFiles, StorageLevel, TaskContext

OLDEST = (3, 4)
PIECE_BYTES = 1 << 20
SAID_BYTES = 4096
FAILED = "failed"
# Stands for the folder of a task in what it is told.
PLACE = "{place}"


class Failed(Exception):
    """What dupaudit said when it could not do its part."""


def end_with_parent():
    """On Linux a reader does not outlive the task that Spark kills."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (AttributeError, OSError):
        pass


@contextmanager
def workplace(job):
    """A directory for one task, where Spark keeps its own files, and nobody else reads; with the
    files that are nobody else's business in it."""
    roots = [root for root in os.environ.get("SPARK_LOCAL_DIRS", "").split(",") if root]
    root = roots[os.getpid() % len(roots)] if roots else None
    place = tempfile.mkdtemp(prefix="dupaudit-", dir=root)
    try:
        for name, contents in job["private"].value.items():
            put(place, name, 0, contents.replace(PLACE.encode(), place.encode()))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def dupaudit(job, words, place, folder=None):
    """Runs dupaudit to its end, where names of files mean what they mean to who submits."""
    words = [word.replace(PLACE, place) for word in words]
    if folder is None:
        folder = job["folder"] if os.path.isdir(job["folder"]) else place
    names = {"TMPDIR": place, "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    with tempfile.TemporaryFile(dir=place) as said:
        code = subprocess.run(
            [SparkFiles.get(job["program"]), *words, *job["limits"]],
            cwd=folder,
            env=names,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            preexec_fn=end_with_parent,
        ).returncode
        if code != 0:
            said.seek(max(0, said.seek(0, os.SEEK_END) - SAID_BYTES))
            lines = said.read().decode("utf-8", "replace").splitlines()
            lines = [line.strip() for line in lines if line.strip()]
            errors = [line for line in lines if line.startswith("error: ")] or lines[-1:]
            raise Failed(f"dupaudit {words[0]} ended with {code}: {' '.join(errors)}")


def emptied(place):
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place, mode=0o700)
    return place


def read(job, words, place, out):
    """Reads splits, at once again if that fails, then by another attempt of Spark; returns why
    they cannot be read once no attempt is left."""
    for _ in range(2):
        try:
            return dupaudit(job, [*words, "-o", emptied(out)], place)
        except Failed as error:
            reason = str(error)
    if TaskContext.get().attemptNumber() + 1 < job["attempts"]:
        raise Failed(reason)
    emptied(out)
    return reason


def pieces(path):
    """Cuts a file; an empty one is one piece, so that it arrives too."""
    with open(path, "rb") as file:
        at = 0
        while True:
            piece = file.read(PIECE_BYTES)
            if piece or at == 0:
                yield at, piece
            if len(piece) < PIECE_BYTES:
                return
            at += len(piece)


def put(folder, name, at, piece):
    """Puts a piece where it belongs, in whatever order they come."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(at)
        file.write(piece)


def contents(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def radix_of(name):
    found = re.fullmatch(r"part-(\d+)\.run", name)
    return int(found.group(1)) if found else None


def files_of(task, folder, reason):
    """What a task leaves, in pieces."""
    if reason:
        yield task, FAILED, 0, reason.encode()
        return
    for name in sorted(os.listdir(folder)):
        for at, piece in pieces(os.path.join(folder, name)):
            yield task, name, at, piece


def extract(job, tasks):
    for task in tasks:
        with workplace(job) as place:
            out = os.path.join(place, "out")
            words = ["extract", *job["arguments"], "--task", str(task)]
            reason = read(job, words, place, out)
            for block in files_of(task, out, reason):
                radix = radix_of(block[1])
                # What is no run goes through with any of them.
                yield (task % job["radixes"] if radix is None else radix), block


def suspects(job, radix, blocks):
    with workplace(job) as place:
        runs, out = (emptied(os.path.join(place, name)) for name in ("runs", "out"))
        for _, (task, name, at, piece) in blocks:
            if radix_of(name) is None:
                yield task, (task, name, at, piece)
            else:
                put(runs, f"{task}.run", at, piece)
        # Their names are short, since there may be as many as a command line holds.
        names = sorted(os.listdir(runs), key=lambda name: int(name[: -len(".run")]))
        if names:
            dupaudit(job, ["merge", "--stage", "suspects", "-o", out, *names], place, runs)
        for name in sorted(os.listdir(out)):
            task = int(re.fullmatch(r"task-(\d+)\.run", name).group(1))
            for at, piece in pieces(os.path.join(out, name)):
                yield task, (task, f"suspects-{radix}.run", at, piece)


def revisit(job, task, blocks):
    with workplace(job) as place:
        folder, out = (os.path.join(place, name) for name in ("left", "out"))
        names = set()
        for _, (_, name, at, piece) in blocks:
            put(folder, name, at, piece)
            names.add(name)
        found = sorted(name for name in names if name.startswith("suspects-"))
        if found:
            words = ["extract", *job["arguments"], "--task", str(task)]
            for name in found:
                words += ["--suspects", os.path.join(folder, name)]
            reason = read(job, words, place, out)
            yield from files_of(task, out, reason)
        for name in sorted(names - set(found)):
            for at, piece in pieces(os.path.join(folder, name)):
                yield task, name, at, piece


def attempts(conf):
    """How often Spark tries a task; with `local[N]` once, whatever is set."""
    local = re.fullmatch(r"local(\[[^,\]]*(?:,(\d+))?\])?", conf.get("spark.master", ""))
    return int(local.group(2) or 1) if local else int(conf.get("spark.task.maxFailures", "4"))


def end_with(caller):
    """Nobody waits for the result once who asked for it is gone."""
    while True:
        try:
            os.kill(caller, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(1)


def main(path):
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    threading.Thread(target=end_with, args=(job["caller"],), daemon=True).start()
    context = SparkContext()
    version = tuple(int(part) for part in context.version.split(".")[:2])
    if version < OLDEST:
        raise Failed(f"this is Spark {context.version}; {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    # Not by `--files`: Spark lets everyone read those, and some workers keep them.
    folder = os.path.dirname(path)
    job["private"] = context.broadcast({name: contents(folder, name) for name in job["private"]})
    job["attempts"] = attempts(context.getConf())
    job["limits"] += ["--threads", context.getConf().get("spark.task.cpus", "1")]
    tasks, radixes = job["tasks"], job["radixes"]
    details = (
        context.parallelize(range(tasks), tasks)
        .mapPartitions(lambda part: extract(job, part))
        .partitionBy(radixes, lambda radix: radix)
        .mapPartitionsWithIndex(lambda radix, blocks: suspects(job, radix, blocks))
        .partitionBy(tasks, lambda task: task)
        .mapPartitionsWithIndex(lambda task, blocks: revisit(job, task, blocks))
        .persist(StorageLevel.DISK_ONLY)
    )
    # All of it at once; then one partition after the other comes here, and none of it whole.
    details.count()
    for task, name, at, piece in details.toLocalIterator():
        put(os.path.join(job["out"], f"task-{task}"), name, at, piece)
    context.stop()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:
        said = re.search(r"Failed: (.*)", str(error))
        reason = said.group(1) if said else f"{type(error).__name__}: {error}"
        print(f"dupaudit-job: {reason}", file=sys.stderr)
        sys.exit(1)
