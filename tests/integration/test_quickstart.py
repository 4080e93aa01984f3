"""deploy/quickstart: what it prints works as pasted."""
import os
import re
import signal
import subprocess
import time

from support.runner import test
from support.waiting import until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUICKSTART = os.path.join(ROOT, "deploy", "quickstart")
PORT = 18443


def run(*arguments, seconds=900):
    return subprocess.run([QUICKSTART, *arguments], capture_output=True, text=True, timeout=seconds, check=False,
                          stdin=subprocess.DEVNULL)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def printed(text, pattern):
    match = re.search(pattern, text, re.MULTILINE)
    assert match, (pattern, text)
    return match.group(0)


@test
def what_quickstart_prints_works_and_a_second_run_keeps_the_key(folder):
    state = os.path.join(folder, "state")
    options = ["--state", state, "--port", str(PORT)]
    first = run(*options, "--background")
    assert first.returncode == 0, first.stdout + first.stderr
    try:
        curl = printed(first.stdout, r"^curl .*$")
        streamed = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=False)
        assert streamed.returncode == 0 and "data: [DONE]" in streamed.stdout, streamed
        assert "id: evt_00001" in streamed.stdout
        for line in re.findall(r"^/.*nodex .*$", first.stdout, re.MULTILINE):
            command = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
            assert command.returncode == 0 and command.stdout, command
        busy = run("--state", os.path.join(folder, "other"), "--port", str(PORT), "--background")
        assert busy.returncode != 0 and "in use" in busy.stderr and "--port" in busy.stderr, busy
        again = run(*options, "--background")
        assert again.returncode != 0 and "--stop" in again.stderr, again
    finally:
        stopped = run("--state", state, "--stop")
    assert stopped.returncode == 0, stopped
    started = time.monotonic()
    second = run(*options, "--background")
    try:
        assert second.returncode == 0, second.stdout + second.stderr
        assert time.monotonic() - started < 15, "a second run takes seconds"
        assert printed(second.stdout, "nxk_[0-9A-Za-z]{43}") == printed(first.stdout, "nxk_[0-9A-Za-z]{43}")
        streamed = subprocess.run(["bash", "-c", printed(second.stdout, r"^curl .*$")], capture_output=True, text=True,
                                  timeout=60, check=False)
        assert "data: [DONE]" in streamed.stdout, streamed
    finally:
        assert run("--state", state, "--stop").returncode == 0


@test
def ctrl_c_ends_both_programs_cleanly(folder):
    state = os.path.join(folder, "state")
    with open(os.path.join(folder, "out"), "wb") as out:
        script = subprocess.Popen([QUICKSTART, "--state", state, "--port", str(PORT + 10)], stdout=out,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)

    def ready():
        assert script.poll() is None, text_of(out.name)
        return "Ctrl-C ends it." in text_of(out.name)
    until(ready, 300, "quickstart is ready")
    pids = [int(text_of(os.path.join(state, f"{name}.pid"))) for name in ("nodex-edge", "nodex-provider")]
    os.killpg(script.pid, signal.SIGINT)
    assert script.wait(60) == 0
    for pid in pids:
        assert not os.path.exists(f"/proc/{pid}"), "a program was left behind"


@test
def quickstart_with_two_pops_prints_a_line_for_each_and_one_that_resumes_at_the_other(folder):
    state = os.path.join(folder, "state")
    options = ["--state", state, "--port", str(PORT + 1_000), "--pops", "2"]
    first = run(*options, "--background")
    try:
        assert first.returncode == 0, first.stdout + first.stderr
        lines = re.findall(r"^curl .*$", first.stdout, re.MULTILINE)
        assert len(lines) == 2 and len({re.search(r"localhost:(\d+)", line)[1] for line in lines}) == 2, lines
        for line in lines:
            streamed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)
            assert streamed.returncode == 0 and "data: [DONE]" in streamed.stdout, streamed
        admin = re.search(r"^(/.*nodex --admin \S+ --operator \S+) admin status$", first.stdout, re.MULTILINE)[1]

        def charges():
            listed = subprocess.run(["bash", "-c", f"{admin} --json admin usage list 1"], capture_output=True, text=True, timeout=60,
                                    check=False)
            return listed.stdout.count('"charge"')
        until(lambda: charges() == 2, 30, "both calls are charged at the centre")
        line = printed(first.stdout, r"^/.*deploy/cut-and-resume .*$")
        resumed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, check=False)
        assert resumed.returncode == 0 and "the same." in resumed.stdout, resumed
        first_half, second_half = resumed.stdout.split("with Last-Event-ID: ")
        assert first_half.count("id: evt_") > 1 and second_half.count("id: evt_") > 1, resumed.stdout
        until(lambda: charges() == 3, 30, "a stream in two pieces is charged once")
    finally:
        stopped = run(*options, "--stop")
    assert stopped.returncode == 0, stopped
    second = run(*options, "--background")
    try:
        assert second.returncode == 0, second.stdout + second.stderr
        assert printed(second.stdout, "nxk_[0-9A-Za-z]{43}") == printed(first.stdout, "nxk_[0-9A-Za-z]{43}")
    finally:
        run(*options, "--stop")
