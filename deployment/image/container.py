"""Containers that `runc` runs, and what is asked of them from outside."""

import json
import pathlib
import subprocess
import time

# What the program promises for an orderly stop, and some time for a busy machine.
STOP_SECONDS = 25 + 15
# Until a start on an empty disk answers, on a busy machine.
START_SECONDS = 120


class Failed(Exception):
    """Something is not as it has to be."""


def run(*command, **options):
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run(command, **options)


class Container:
    """A running bundle."""

    def __init__(self, state, name, bundle):
        self.state, self.name, self.bundle = str(state), name, bundle
        self.log_path = bundle.folder / f"{name}.log"
        self.process = subprocess.Popen(
            ["runc", "--root", self.state, "run", "--bundle", str(bundle.folder), name],
            stdin=subprocess.DEVNULL,
            stdout=self.log_path.open("w"),
            stderr=subprocess.STDOUT,
        )

    def log(self):
        return self.log_path.read_text(errors="replace")

    def runc(self, *arguments):
        return run("runc", "--root", self.state, *arguments)

    def exec(self, *command, user="0:0", env=()):
        """A command in it, as somebody in a platform's shell would give it."""
        variables = [word for one in env for word in ("--env", one)]
        return self.runc("exec", "--user", user, *variables, self.name, *command)

    def until(self, what, holds, seconds=START_SECONDS):
        end = time.monotonic() + seconds
        while not holds():
            code = self.process.poll()
            if code is not None:
                raise Failed(f"the container ended with {code} while waiting for: {what}\n{self.log()}")
            if time.monotonic() > end:
                raise Failed(f"not within {seconds} s: {what}\n{self.log()}")
            time.sleep(0.2)

    def healthy(self):
        """Waits until the image's own health check says so."""
        kind, *check = self.bundle.image["Healthcheck"]["Test"]
        if kind != "CMD":
            raise Failed(f"the health check needs a shell: {kind}")
        self.until("the health check of the image", lambda: self.exec(*check).returncode == 0)

    def pid(self):
        return json.loads(self.runc("state", self.name).stdout)["pid"]

    def status(self, field):
        """A line of `/proc/PID/status` of its first process."""
        text = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return next(line.split(":", 1)[1].split() for line in text.splitlines() if line.startswith(field + ":"))

    def stop(self):
        """SIGTERM; how it ended, and after how long."""
        began = time.monotonic()
        self.runc("kill", self.name, "TERM")
        return self.ended(STOP_SECONDS), time.monotonic() - began

    def ended(self, seconds=START_SECONDS):
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"it did not end within {seconds} s\n{self.log()}") from None

    def remove(self):
        if self.process.poll() is None:
            self.runc("kill", self.name, "KILL")
            self.process.wait()
        self.runc("delete", "--force", self.name)
