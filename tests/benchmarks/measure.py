#!/usr/bin/env python3
# SPDX-FileCopyrightText: The Platen contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and measures it with all it starts, daemons included.

    measure.py --report FILE [--drive /dev/loopN]... -- COMMAND...

What the command prints comes out with the seconds since the start before each line. The report is one line of
seconds passed, CPU seconds and MiB at the peak, then one for each drive:
path, bytes written, read and discarded, and the seconds at which the last write and the last read were seen.

The same way of counting for every tool:
- CPU is user and system time of all processes. A process whose parent is gone becomes a child of this one (it is a
  "subreaper"), so a daemon's time is counted as well. What the kernel's loop and write-back threads use is not.
- Memory is the largest sum, over the processes living at one time, of each one's high-water mark; or what the kernel
  says of a single process after its end, if that is more.
- Bytes are what the block device itself has counted.
"""

import argparse
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SAMPLE_S = 0.05
# A daemon that has nothing left to do ends by itself within this time, or is ended.
LINGER_S = 10
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def counters(drive):
    """Bytes written, read and discarded since the device was made."""
    with open(f"/sys/block/{os.path.basename(drive)}/stat", encoding="ascii") as stat:
        fields = stat.read().split()
    return tuple(int(fields[at]) * 512 for at in (6, 2, 13))


def processes(older):
    """Parent of each process that is not in `older`."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in older:
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                    parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it has just ended
    return parents


def descendants(older):
    parents = processes(older)

    def belongs(pid):
        while pid in parents:
            pid = parents[pid]
        return pid == os.getpid()

    return [pid for pid in parents if belongs(pid)]


def memory_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def pass_on(pipe, started):
    for line in pipe:
        sys.stdout.write(f"{time.monotonic() - started:.3f} {line.decode(errors='replace')}")
        sys.stdout.flush()


def end_all(older, command):
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 3
        for pid in descendants(older):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        while descendants(older) and time.monotonic() < deadline:
            reap(command)
            time.sleep(SAMPLE_S)


def reap(command):
    """Collect whatever has ended: the command's own exit status once it is among that, and the largest one's KiB."""
    status, largest_kib = None, 0
    while True:
        try:
            pid, raw, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return status, largest_kib
        if pid == 0:
            return status, largest_kib
        if pid == command:
            status = os.waitstatus_to_exitcode(raw)
        # A process is born as a copy of this one, which is then the least it is said to have used.
        if used.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
            largest_kib = max(largest_kib, used.ru_maxrss)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", required=True)
    parser.add_argument("--drive", action="append", default=[])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:]

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # Waited for in one place, and so at once; what is started must not inherit that.
    watched = (signal.SIGCHLD, *STOPPING)
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)

    def as_usual():
        for number in STOPPING:
            signal.signal(number, signal.SIG_DFL)  # a shell starts what is in the background without SIGINT
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)

    older = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    before = {drive: counters(drive) for drive in arguments.drive}
    last, moved = dict(before), {drive: [0.0, 0.0] for drive in arguments.drive}
    cpu_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=as_usual
    )
    threading.Thread(target=pass_on, args=(child.stdout, started), daemon=True).start()

    peak_kib, status, wall = 0, None, 0.0
    while status is None or (descendants(older) and time.monotonic() - started < wall + LINGER_S):
        caught = signal.sigtimedwait(watched, SAMPLE_S)
        now = time.monotonic() - started
        if caught is not None and caught.si_signo in STOPPING:
            end_all(older, child.pid)
            sys.exit(128 + caught.si_signo)
        ended, largest_kib = reap(child.pid)
        if status is None:
            status, wall = ended, now
        for drive, earlier in last.items():
            last[drive] = counters(drive)
            for which in (0, 1):
                if last[drive][which] != earlier[which]:
                    moved[drive][which] = now
        peak_kib = max(peak_kib, largest_kib, sum(memory_kib(pid) for pid in descendants(older)))
    end_all(older, child.pid)

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime
    with open(arguments.report, "w", encoding="utf-8") as report:
        report.write(f"{wall:.2f} {cpu:.2f} {peak_kib / 1024:.1f}\n")
        for drive, begin in before.items():
            written, read, discarded = (after - earlier for after, earlier in zip(counters(drive), begin))
            write_s, read_s = moved[drive]
            report.write(f"{drive} {written} {read} {discarded} {write_s:.2f} {read_s:.2f}\n")
    sys.exit(status if status >= 0 else 128 - status)


main()
