"""The readings of this machine as sensors: load, memory, processors, network, disks, heat.

Each sensor is a name and a function that reads it. Sensors that this machine does not
have are left out. Counters of the kernel become rates per second.
"""
import glob
import os
import re
import time

CORES_MAX = 16
INTERFACES_MAX = 4
DISKS_MAX = 4
TEMPERATURES_MAX = 8


def read(path):
    with open(path) as file:
        return file.read()


def topic_level(text):
    """`text` as one level of a topic: without what MQTT or a reader would trip over."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-").lower() or "unnamed"


class Rate:
    """Turns a counter into a rate per second; 0 at the first reading."""

    def __init__(self, count, scale=1.0):
        self.count = count
        self.scale = scale
        self.last = None

    def __call__(self):
        now, count = time.monotonic(), self.count()
        last, self.last = self.last, (now, count)
        if last is None or now <= last[0]:
            return 0.0
        return max(0.0, (count - last[1]) * self.scale / (now - last[0]))


def load_sensors():
    for place, name in enumerate(("load-1m", "load-5m", "load-15m")):
        yield name, lambda place=place: float(read("/proc/loadavg").split()[place])


def memory_sensors():
    def field(name):
        return float(re.search(rf"^{name}:\s+(\d+)", read("/proc/meminfo"), re.M)[1]) / 1024

    for name, sensor in (("MemAvailable", "memory-available-mb"), ("MemFree", "memory-free-mb"),
                         ("Cached", "memory-cached-mb"), ("Dirty", "memory-dirty-mb")):
        yield sensor, lambda name=name: field(name)


def processor_sensors():
    def ticks(label):
        words = re.search(rf"^{label} (.*)", read("/proc/stat"), re.M)[1].split()
        numbers = [int(word) for word in words[:8]]
        return sum(numbers) - numbers[3] - numbers[4]  # without idle and waiting

    hertz = os.sysconf("SC_CLK_TCK")
    labels = re.findall(r"^(cpu\d+) ", read("/proc/stat"), re.M)[:CORES_MAX]
    for label in labels:
        yield f"{label}-busy-percent", Rate(lambda label=label: ticks(label), 100 / hertz)
    for name, sensor in (("ctxt", "context-switches"), ("processes", "processes-started")):
        yield sensor, Rate(
            lambda name=name: int(re.search(rf"^{name} (\d+)", read("/proc/stat"), re.M)[1]))


def network_sensors():
    def column(interface, place):
        return int(re.search(rf"^\s*{re.escape(interface)}:(.*)", read("/proc/net/dev"),
                             re.M)[1].split()[place])

    for interface in re.findall(r"^\s*(\S+):", read("/proc/net/dev"), re.M)[:INTERFACES_MAX]:
        level = topic_level(interface)
        yield f"net-{level}-in-kb", Rate(lambda i=interface: column(i, 0), 1 / 1024)
        yield f"net-{level}-out-kb", Rate(lambda i=interface: column(i, 8), 1 / 1024)


def disk_sensors():
    def sectors(disk, place):
        return int(re.search(rf"^\s*\d+\s+\d+\s+{re.escape(disk)} (.*)", read("/proc/diskstats"),
                             re.M)[1].split()[place])

    whole = [disk for disk in sorted(os.listdir("/sys/block"))
             if not disk.startswith(("loop", "ram", "zram"))]
    known = set(re.findall(r"^\s*\d+\s+\d+\s+(\S+)", read("/proc/diskstats"), re.M))
    for disk in [disk for disk in whole if disk in known][:DISKS_MAX]:
        level = topic_level(disk)
        yield f"disk-{level}-read-kb", Rate(lambda d=disk: sectors(d, 2), 0.5)
        yield f"disk-{level}-written-kb", Rate(lambda d=disk: sectors(d, 6), 0.5)


def temperature_sensors():
    paths = sorted(glob.glob("/sys/class/thermal/thermal_zone*/temp"))
    paths += sorted(glob.glob("/sys/class/hwmon/hwmon*/temp*_input"))
    for path in paths[:TEMPERATURES_MAX]:
        owner = os.path.basename(os.path.dirname(path))
        level = topic_level(owner + "-" + os.path.basename(path).split("_")[0])
        yield f"heat-{level}", lambda path=path: float(read(path)) / 1000


def all_sensors():
    """Name and function of every sensor that gives a reading now."""
    sensors = {}
    for group in (load_sensors, memory_sensors, processor_sensors, network_sensors, disk_sensors,
                  temperature_sensors):
        try:
            for name, reading in group():
                try:
                    reading()
                except (OSError, ValueError, TypeError, IndexError):
                    continue
                sensors[name] = reading
        except (OSError, TypeError):
            continue  # /proc or /sys is not there: a container
    return sensors
