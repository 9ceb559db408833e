#!/usr/bin/env python3
"""bench/memory: how much memory does the tree take, and how often does it wake up idle?

Usage: run.py BUILD [--seconds 30] [--keys 10000]

The daemon with uplink and two workers: PSS and RSS of each process, idle and with so
many open windows with p95, and what the journals take in memory (allocated bytes of
`runtime:`; resident pages of them are in PSS too). Beside two bare Paho C++ receivers
in the same run. Wake-ups are voluntary context switches of each thread; those of
Paho's two threads are counted apart.
"""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tree import (PIPELINE, Bed, Receiver, allocated, memory, name_of, programs_of, tree,  # noqa: E402
                  wait_for, wakeups)

MB = 1e6
PAHO = ("MQTTAsync_rcv", "MQTTAsync_send")


def print_memory(title, pids, runtime=None):
    print(title)
    total_pss = total_rss = 0
    for pid in pids:
        pss, rss = memory(pid)
        total_pss, total_rss = total_pss + pss, total_rss + rss
        print(f"  {name_of(pid):<18} PSS {pss / MB:6.2f} MB  RSS {rss / MB:6.2f} MB")
    text = f"  {'sum':<18} PSS {total_pss / MB:6.2f} MB  RSS {total_rss / MB:6.2f} MB"
    if runtime:
        text += f"  runtime folder {allocated(runtime) / MB:.2f} MB allocated"
    print(text, flush=True)
    return total_pss


def print_wakeups(title, pids, seconds):
    before = wakeups(pids)
    time.sleep(seconds)
    after = wakeups(pids)
    ours = paho = 0.0
    print(f"{title}, over {seconds} s")
    for key, count in sorted(after.items()):
        rate = (count - before.get(key, 0)) / seconds
        if key[1] in PAHO:
            paho += rate
        else:
            ours += rate
        if rate > 0:
            print(f"  {name_of(key[0]):<16} {key[1]:<16} {rate:7.2f}/s")
    print(f"  ours {ours:.2f}/s, Paho's threads {paho:.2f}/s", flush=True)
    return ours


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--keys", type=int, default=10_000)
    options = parser.parse_args()
    daemon, bench = programs_of(options.build)
    with Bed(daemon) as bed:
        bed.configure(workers=2)
        # Windows that stay open while they are measured.
        text = PIPELINE.format(qos=1).replace("tumbling: 10s", "tumbling: 1h")
        mark = bed.start_daemon(bed.write("climate.yaml", text))
        bed.wait_connected(mark)
        receivers = [Receiver(bench, bed.port, 1, 0, f"bare-{i}") for i in range(2)]
        time.sleep(3)
        bare = [receiver.pid for receiver in receivers]
        ours = tree(bed.daemon.pid)
        bare_idle = print_memory("two bare receivers, idle", bare)
        ours_idle = print_memory("runnel, idle", ours, bed.runtime)
        print_wakeups("two bare receivers, idle", bare, options.seconds)
        woken = print_wakeups("runnel, idle", ours, options.seconds)
        messages = 20 * options.keys
        subprocess.run([os.path.join(bench, "bench_publisher"), str(bed.port), "1", str(messages),
                        "0", str(options.keys)], check=True, stdout=subprocess.DEVNULL)
        wait_for(lambda: bed.status("climate")["absorbed"] >= messages, 120,
                 lambda: f"{bed.status('climate')} absorbed")
        time.sleep(1)
        bare_busy = print_memory("two bare receivers, after the messages", bare)
        ours_busy = print_memory(f"runnel, {options.keys} keys of 20 readings each", ours, bed.runtime)
        for receiver in receivers:
            receiver.stop()
    print(f"idle: {(ours_idle - bare_idle) / MB:+.2f} MB beside two bare receivers (goal 6), "
          f"{ours_idle / MB:.2f} MB in all (goal 16)")
    print(f"{options.keys} keys: {(ours_busy - bare_busy) / MB:+.2f} MB beside two bare receivers "
          f"(goal 6), {ours_busy / MB:.2f} MB in all (goal 16)")
    print(f"wake-ups besides Paho's: {woken:.2f}/s (goal 2)")


if __name__ == "__main__":
    main()
