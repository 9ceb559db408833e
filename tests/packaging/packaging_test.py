"""What `cmake --install` puts in place, and that systemd accepts it.

usage: packaging_test.py CASE BUILD_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXPOSURE_MAX = 20  # tenths; `systemd-analyze security` calls up to 2.0 OK

INSTALLED = """
/etc/runnel/pipelines/README
/etc/runnel/runnel.yaml
/usr/bin/runnel
/usr/lib/systemd/system/runnel.service
/usr/lib/sysusers.d/runnel.conf
/usr/lib/tmpfiles.d/runnel.conf
/usr/libexec/runnel/runnel-uplink
/usr/libexec/runnel/runnel-worker
/usr/share/doc/runnel/CHANGELOG.md
/usr/share/doc/runnel/GUARANTEES.md
/usr/share/doc/runnel/LICENSE
/usr/share/doc/runnel/README.md
""".split()


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          **options)


def install(build, folder):
    """Installs into `folder` with the prefix that the build has; the paths below it."""
    result = run("cmake", "--install", build, env={**os.environ, "DESTDIR": folder})
    assert result.returncode == 0, result.stdout + result.stderr
    paths = []
    for at, _, names in os.walk(folder):
        paths += [os.path.join(at, name)[len(folder):] for name in names]
    return sorted(paths)


def prefix_of(build):
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        return re.search(r"^CMAKE_INSTALL_PREFIX:PATH=(.*)$", file.read(), re.M)[1]


def unit_for_here(build, folder):
    """The unit with the program of the build tree, so that systemd finds it."""
    with open(os.path.join(build, "packaging", "runnel.service")) as file:
        text = file.read()
    program = os.path.join(build, "daemon", "runnel")
    text, count = re.subn(r"^ExecStart=\S+/runnel ", f"ExecStart={program} ", text, flags=re.M)
    assert count == 1, "the unit starts no runnel"
    text = re.sub(r"^Documentation=file:\S+", f"Documentation=file://{SOURCE}/README.md", text,
                  flags=re.M)
    path = os.path.join(folder, "runnel.service")
    with open(path, "w") as file:
        file.write(text)
    return path


def case_installed_files(build, folder):
    paths = install(build, folder)
    prefix = prefix_of(build)
    wanted = [path.replace("/usr/", prefix + "/", 1) if path.startswith("/usr/") else path
              for path in INSTALLED]
    wanted += [f"{prefix}/share/doc/runnel/examples/{name}"
               for name in os.listdir(os.path.join(SOURCE, "examples")) if name.endswith(".yaml")]
    assert paths == sorted(wanted), "\n".join(
        ["installed, not expected:", *sorted(set(paths) - set(wanted)),
         "expected, not installed:", *sorted(set(wanted) - set(paths))])


def case_changed_configuration_is_kept(build, folder):
    install(build, folder)
    path = folder + "/etc/runnel/runnel.yaml"
    with open(path, "w") as file:
        file.write("workers: 3\n")
    install(build, folder)
    with open(path) as file:
        assert file.read() == "workers: 3\n", "the second installation has replaced it"


def case_installed_programs_find_each_other(build, folder):
    install(build, folder)
    program = folder + prefix_of(build) + "/bin/runnel"
    result = run(program, "--version")
    assert result.returncode == 0 and re.fullmatch(r"runnel \d+\.\d+\.\d+\n", result.stdout), result
    result = run(program, "check", os.path.join(SOURCE, "examples"))
    assert result.returncode == 0 and result.stdout.startswith("ok: "), result


def case_unit_verify(build, folder):
    # An unknown key is only a warning and the exit code 0: any word is a failure.
    result = run("systemd-analyze", "verify", "--man=no", unit_for_here(build, folder))
    assert result.returncode == 0 and result.stdout + result.stderr == "", \
        result.stdout + result.stderr


def case_unit_security(build, folder):
    result = run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}",
                 "--no-pager", unit_for_here(build, folder))
    print(result.stdout[-120:])
    assert result.returncode == 0, result.stdout + result.stderr


def check(build, path, credentials):
    return run(os.path.join(build, "daemon", "runnel"), "check", "-c", path,
               os.path.join(SOURCE, "examples", "room-climate.yaml"),
               env={**os.environ, "CREDENTIALS_DIRECTORY": credentials})


def case_default_configuration(build, folder):
    """As it is, and with every `#` in front of an option removed."""
    path = os.path.join(SOURCE, "packaging", "etc", "runnel.yaml")
    result = check(build, path, folder)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    with open(path) as file:
        text = re.sub(r"^#(?=[a-z]|  )", "", file.read(), flags=re.M)
    text = text.replace("mqtt://127.0.0.1:1883", "mqtts://127.0.0.1:8883")
    with open(os.path.join(folder, "key"), "w") as file:
        file.write("secret")
    whole = os.path.join(folder, "runnel.yaml")
    with open(whole, "w") as file:
        file.write(text)
    result = check(build, whole, folder)
    # But for the TLS files, which are the user's.
    said = re.findall(r"(?:error|warning): (.*)", result.stderr)
    assert result.returncode == 0 and said == [f"there is no file `/etc/runnel/{name}`" for name in (
        "ca.pem", "client.pem", "client.key") if not os.path.exists(f"/etc/runnel/{name}")], result.stderr


def main():
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    if len(sys.argv) != 3 or sys.argv[1] not in cases:
        print(__doc__ + "cases: " + " ".join(cases), file=sys.stderr)
        return 2
    folder = tempfile.mkdtemp(prefix="runnel-packaging-")
    try:
        cases[sys.argv[1]](os.path.abspath(sys.argv[2]), folder)
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
