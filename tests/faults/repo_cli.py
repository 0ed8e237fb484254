#!/usr/bin/env python3
"""`holdfast repo` as scripts use it: exit codes, JSON, environment, flags before and after the verb, Ctrl-C.

usage: repo_cli.py PROGRAMS_DIR [s3]. With s3 the repositories lie in a bucket of the server at HOLDFAST_S3_ENDPOINT; the
keys are those of the environment.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, eventually, make_bucket  # noqa: E402

PASSWORD = "open sesame"


class Repo:
    def __init__(self, program, work, base, check):
        self.program = program
        self.work = work
        self.base = base
        self.check = check

    def environment(self, extra):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RESTIC_")}
        kept["HOME"] = self.work
        kept.update(extra)
        return kept

    def run(self, *words, code=0, **extra):
        done = subprocess.run([self.program, "repo", *words], env=self.environment(extra), capture_output=True, text=True,
                              timeout=120)
        self.check.that(done.returncode == code,
                        f"repo {' '.join(words)}: exit code {done.returncode}, not {code}: {done.stdout}{done.stderr}")
        return done

    def ways_to_say_it(self):
        self.check.begin("repository and password by flag, environment, file and command; flags before and after the verb")
        url = self.base + "/ways"
        file = self.work + "/password"
        open(file, "w").write(PASSWORD + "\n")
        self.run("-r", url, "init", RESTIC_PASSWORD=PASSWORD)
        for words, extra in (
                (["snapshots", "-r", url], {"RESTIC_PASSWORD_FILE": file}),
                (["--repo", url, "--password-file", file, "snapshots"], {}),
                (["snapshots", "--repo", url, "--password-file", file], {}),
                (["snapshots"], {"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD_COMMAND": "cat " + file}),
                (["snapshots", "--password-command", f"cat {file}"], {"RESTIC_REPOSITORY": url}),
                (["snapshots"], {"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": PASSWORD})):
            self.run(*words, **extra)
        done = self.run("snapshots", code=1, RESTIC_PASSWORD=PASSWORD)
        self.check.contains(done.stderr, "RESTIC_REPOSITORY")
        done = self.run("-r", url, "snapshots", code=1, RESTIC_PASSWORD_COMMAND="false")
        self.check.that(done.stderr.strip() != "", "a password command that fails is not told")

    def refusals(self):
        self.check.begin("exit codes 10 and 12")
        url = self.base + "/refusals"
        done = self.run("-r", url, "snapshots", code=10, RESTIC_PASSWORD=PASSWORD)
        self.check.contains(done.stderr, "refusals")
        self.run("-r", url, "init", RESTIC_PASSWORD=PASSWORD)
        done = self.run("-r", url, "snapshots", code=12, RESTIC_PASSWORD="other")
        self.check.contains(done.stderr, "wrong password")
        self.check.that("other" not in done.stderr.replace("another", ""), "the password is told")
        self.run("-r", url, "init", code=1, RESTIC_PASSWORD=PASSWORD)

    def json(self):
        self.check.begin("--json")
        url = self.base + "/json"
        source = self.tree("json", 4)
        self.run("-r", url, "init", RESTIC_PASSWORD=PASSWORD)
        done = self.run("-r", url, "backup", "--json", source, RESTIC_PASSWORD=PASSWORD)
        summary = [v for v in map(json.loads, done.stdout.splitlines()) if v.get("message_type") == "summary"]
        self.check.that(len(summary) == 1 and summary[0]["files_new"] == 4, f"{summary}")
        done = self.run("-r", url, "snapshots", "--json", RESTIC_PASSWORD=PASSWORD)
        snapshots = json.loads(done.stdout)
        self.check.that([s["paths"] for s in snapshots] == [[source]], done.stdout)
        self.check.that(summary[0]["snapshot_id"] == snapshots[0]["id"], "another snapshot")
        done = self.run("-r", url, "ls", "--json", "latest", RESTIC_PASSWORD=PASSWORD)
        names = [v.get("name") for v in map(json.loads, done.stdout.splitlines())]
        self.check.that("file-3" in names, f"{names}")
        done = self.run("-r", url, "stats", "--json", RESTIC_PASSWORD=PASSWORD)
        self.check.that(json.loads(done.stdout)["total_size"] > 0, done.stdout)
        target = self.work + "/json-back"
        self.run("-r", url, "restore", "latest", "--target", target, RESTIC_PASSWORD=PASSWORD)
        same = subprocess.run(["diff", "-r", source, target + source], capture_output=True, text=True)
        self.check.that(same.returncode == 0, same.stdout)

    def incomplete(self):
        self.check.begin("exit code 3: a source that cannot be read is left out, the rest is saved")
        url = self.base + "/incomplete"
        source = self.tree("incomplete", 3)
        self.run("-r", url, "init", RESTIC_PASSWORD=PASSWORD)
        done = self.run("-r", url, "backup", source, self.work + "/missing", code=3, RESTIC_PASSWORD=PASSWORD)
        self.check.contains(done.stderr, "missing")
        done = self.run("-r", url, "ls", "latest", RESTIC_PASSWORD=PASSWORD)
        self.check.contains(done.stdout, source + "/file-2")

    def tree(self, name, files, size=1000):
        directory = f"{self.work}/source-{name}"
        os.makedirs(directory)
        for i in range(files):
            with open(f"{directory}/file-{i}", "wb") as file:
                file.write(os.urandom(size))
        return directory

    def begun(self, url, source):
        """A backup that holds its lock."""
        process = subprocess.Popen([self.program, "repo", "-r", url, "backup", source], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment({"RESTIC_PASSWORD": PASSWORD}))

        def locked():
            done = self.run("-r", url, "list", "locks", "--no-lock", RESTIC_PASSWORD=PASSWORD)
            return done.stdout.strip() != ""
        eventually(lambda: locked() or process.poll() is not None, "the backup holds its lock")
        self.check.that(process.poll() is None, "the backup was over too soon")
        return process

    def locked_and_interrupted(self):
        self.check.begin("exit codes 11 and 130: a lock of another, and Ctrl-C")
        url = self.base + "/locked"
        # Enough to be still at it when it is looked at.
        source = self.tree("locked", 40, 16 << 20)
        self.run("-r", url, "init", RESTIC_PASSWORD=PASSWORD)
        process = self.begun(url, source)
        process.send_signal(signal.SIGSTOP)
        done = self.run("-r", url, "check", code=11, RESTIC_PASSWORD=PASSWORD)
        self.check.contains(done.stderr, "lock", f"PID {process.pid}")
        self.run("-r", url, "snapshots", RESTIC_PASSWORD=PASSWORD)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=60)
        self.check.that(process.returncode == 130, f"exit code {process.returncode} after Ctrl-C")
        self.check.that(time.monotonic() - began < 20, "Ctrl-C took its time")
        done = self.run("-r", url, "list", "locks", "--no-lock", RESTIC_PASSWORD=PASSWORD)
        self.check.that(done.stdout.strip() == "", f"a lock is left: {done.stdout}")
        self.run("-r", url, "check", RESTIC_PASSWORD=PASSWORD)
        done = self.run("-r", url, "snapshots", "--json", RESTIC_PASSWORD=PASSWORD)
        self.check.that(json.loads(done.stdout) in ([], None), "an interrupted backup left a snapshot")


def main():
    check = Checks()
    work = tempfile.mkdtemp(prefix="hf-faults-")
    try:
        base = work + "/repositories"
        if sys.argv[2:] == ["s3"]:
            endpoint = os.environ["HOLDFAST_S3_ENDPOINT"].rstrip("/")
            make_bucket(endpoint, "repositories")
            base = f"s3:{endpoint}/repositories"
        repo = Repo(os.path.abspath(sys.argv[1]) + "/holdfast", work, base, check)
        for story in (repo.ways_to_say_it, repo.refusals, repo.json, repo.incomplete, repo.locked_and_interrupted):
            story()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    check.end()


main()
