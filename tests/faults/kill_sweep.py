#!/usr/bin/env python3
"""kill -9 of controller and agent at each of their changes of a store, during a backup, a restore and a deletion.

A preloaded library (kill_at.cc) kills the unchanged program at its n-th change, for n = 1, 2, ... until a run has fewer
changes. A clean program follows, and then: what was made before is whole, what was interrupted has ended and says so,
nothing looks like a backup that is none, the next one succeeds, a restore done again brings everything once.

usage: kill_sweep.py PROGRAMS_DIR [--long]. Without --long some of them.
"""
import base64
import gzip
import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, FINAL, Site, VELERO, enter_private_mounts, eventually  # noqa: E402

# Below a backup's directory, NAME being the backup's: what velero-backup.json promises to be there.
PROMISED = ["NAME-logs.gz", "NAME-podvolumebackups.json.gz", "NAME-resource-list.json.gz", "NAME-results.gz", "NAME.tar.gz"]


def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


class Sweep:
    def __init__(self, site, check, long):
        self.site = site
        self.check = check
        self.long = long
        self.main = site.store + "/main"
        self.kills = 0
        self.controller = None
        self.agent = None

    # ---- programs

    def clean(self):
        """Both programs run, and nothing kills them. The wait for a dead holder's lease is another story's matter."""
        if self.controller is None or self.controller.poll() is not None:
            self.site.api.delete("/apis/coordination.k8s.io/v1/namespaces/velero/leases/velero-server")
            self.controller = self.site.controller("clean")
        if self.agent is None:
            self.agent = self.site.agent("clean")

    def stop_controller(self):
        if self.controller is not None:
            self.controller.terminate()
            self.controller.wait()
            self.controller = None

    def stop_agent(self):
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait()
            self.agent = None

    def doomed(self, tree, when, n):
        return {"LD_PRELOAD": self.site.programs + "/libkill_at.so", "KILL_AT_TREE": tree, "KILL_AT": f"{when}:{n}"}

    def moments(self, step):
        """(when, n) for ever: a state between two changes is seen once, after the first of them, unless --long."""
        yield "before", 1
        n = 1
        while True:
            if self.long:
                yield "before", n + 1
            yield "after", n
            n += 1 if self.long else step

    # ---- what must hold at any time

    def remember(self, name):
        """The files of a finished backup: nobody may change them any more."""
        directory = f"{self.main}/backups/{name}"
        self.kept[name] = {file: digest(f"{directory}/{file}") for file in os.listdir(directory)}

    def consistent(self, what):
        for name, files in self.kept.items():
            directory = f"{self.main}/backups/{name}"
            now = {file: digest(f"{directory}/{file}") for file in os.listdir(directory)}
            self.check.that(now == files, f"{what}: files of backup {name} have changed")
        for name in os.listdir(self.main + "/backups"):
            there = os.listdir(f"{self.main}/backups/{name}")
            if "velero-backup.json" not in there:
                continue
            for file in PROMISED:
                self.check.that(file.replace("NAME", name) in there, f"{what}: {name} has metadata without {file}")
            with gzip.open(f"{self.main}/backups/{name}/{name}.tar.gz") as tarball:
                self.check.that(len(tarball.read()) > 0, f"{what}: empty tarball of {name}")
        done = self.site.cli("repo", "-r", self.main + "/restic/web", "check", "--no-lock", extra={"RESTIC_PASSWORD": self.password})
        self.check.that(done.returncode == 0, f"{what}: repo check: {done.stdout}{done.stderr}")

    def next_backup(self, what):
        self.number += 1
        name = f"next{self.number}"
        status = self.site.backup(name, includedNamespaces=["web"])
        self.check.that(status["phase"] == "Completed", f"{what}: the next backup: {status}")
        snapshots = [v["status"].get("snapshotID") for v in self.site.api.items(VELERO + "podvolumebackups")
                     if v["metadata"]["name"].startswith(name + "-")]
        self.check.that(len(snapshots) == 1 and snapshots[0], f"{what}: snapshots of the next backup: {snapshots}")

    # ---- sweeps

    def prepare(self):
        self.check.begin("a good backup")
        self.site.install_types()
        self.site.location("default", self.main, default=True)
        self.clean()
        self.site.available("default")
        self.site.make_app("web", {"one": os.urandom(3 << 20), "two": b"2", "three": b"3" * 100000})
        self.before = self.site.files("web")
        self.number = 0
        self.kept = {}
        status = self.site.backup("good", includedNamespaces=["web"])
        self.check.that(status["phase"] == "Completed", str(status))
        secret = self.site.api.get("/api/v1/namespaces/velero/secrets/velero-repo-credentials")
        self.password = base64.b64decode(secret["data"]["repository-password"]).decode()
        self.remember("good")

    def sweep(self, title, act, step=4):
        """act(when, n) answers whether the program was killed; the sweep ends with the first that was not."""
        self.check.begin(title)
        kills = 0
        for when, n in self.moments(step):
            if not act(when, n):
                break
            kills += 1
        self.kills += kills
        self.check.that(kills >= 2, f"only {kills} kills: the changes were not seen")
        print(f"  {kills} kills", flush=True)

    def killed_or(self, process, ended, what):
        """Waits until the process is dead or the work ended; True where it died by SIGKILL."""
        eventually(lambda: process.poll() is not None or ended(), what, 90)
        # The last change may come after the object's end was written.
        if process.poll() is None:
            try:
                process.wait(0.5)
            except Exception:  # noqa: BLE001  it lives: not killed
                return False
        self.check.that(process.returncode == -9, f"{what}: ended with {process.returncode}")
        return True

    def final(self, plural, name):
        return self.site.status(plural, name).get("phase") in FINAL

    def controller_in_backup(self, when, n):
        what, name = f"controller killed {when} change {n} of a backup", f"c-{when}-{n}"
        self.stop_controller()
        self.site.make("Backup", name, {"includedNamespaces": ["web"], "defaultVolumesToFsBackup": True})
        doomed = self.site.controller("doomed", None, self.doomed(self.main + "/backups", when, n))
        killed = self.killed_or(doomed, lambda: self.final("backups", name), what)
        if not killed:
            doomed.terminate()
            doomed.wait()
        self.clean()
        status = self.site.phase("backups", name, FINAL)
        metadata = os.path.exists(f"{self.main}/backups/{name}/velero-backup.json")
        self.check.that((status["phase"] == "Completed") == metadata, f"{what}: {status}, metadata: {metadata}")
        if status["phase"] != "Completed":
            self.check.that(status["phase"] == "Failed" and "controller lost" in status.get("failureReason", ""),
                            f"{what}: {status}")
        self.consistent(what)
        if killed:
            self.next_backup(what)
        return killed

    def agent_in_backup(self, when, n):
        what, name = f"agent killed {when} change {n} of a backup", f"a-{when}-{n}"
        self.clean()
        self.stop_agent()
        with open(self.site.volume("web") + "/new", "wb") as file:
            file.write(os.urandom(1 << 20))
        doomed = self.site.agent("doomed", None, self.doomed(self.main + "/restic", when, n))
        self.site.make("Backup", name, {"includedNamespaces": ["web"], "defaultVolumesToFsBackup": True})
        killed = self.killed_or(doomed, lambda: self.final("backups", name), what)
        if not killed:
            doomed.terminate()
            doomed.wait()
        self.clean()
        status = self.site.phase("backups", name, FINAL)
        if killed:
            # The snapshot may have been whole when the agent died: the volume is not said to be saved all the same.
            self.check.that(status["phase"] == "PartiallyFailed", f"{what}: {status}")
            volumes = [v["status"] for v in self.site.api.items(VELERO + "podvolumebackups")
                       if v["metadata"]["name"].startswith(name + "-")]
            self.check.that([v["phase"] for v in volumes] == ["Failed"], f"{what}: {volumes}")
            self.check.that("node agent" in volumes[0].get("message", ""), f"{what}: {volumes}")
        self.consistent(what)
        os.unlink(self.site.volume("web") + "/new")
        if killed:
            self.next_backup(what)
        return killed

    def restored(self, what, name, ns):
        """A restore under another name brings what is missing, and nothing twice."""
        status = self.site.restore(name, backupName="good", namespaceMapping={"web": ns})
        self.check.that(status["phase"] == "Completed", f"{what}: the restore done again: {status}")

    def controller_in_restore(self, when, n):
        what, name, ns = f"controller killed {when} change {n} of a restore", f"rc-{when}-{n}", f"rc-{when}-{n}"
        self.stop_controller()
        self.site.make("Restore", name, {"backupName": "good", "namespaceMapping": {"web": ns}})
        doomed = self.site.controller("doomed", None, self.doomed(self.main + "/restores", when, n))
        killed = self.killed_or(doomed, lambda: self.final("restores", name), what)
        if not killed:
            doomed.terminate()
            doomed.wait()
        self.clean()
        status = self.site.phase("restores", name, FINAL)
        # The next controller goes on with it.
        self.check.that(status["phase"] == "Completed", f"{what}: {status}")
        if killed:
            self.restored(what, name + "-again", ns)
        self.site.pod_ready(ns, "app")
        self.check.that(self.site.files(ns) == self.before, f"{what}: the files differ")
        pods = self.site.api.items(f"/api/v1/namespaces/{ns}/pods")
        self.check.that(len(pods) == 1, f"{what}: {len(pods)} pods")
        self.site.drop_namespace(ns)
        self.consistent(what)
        return killed

    def agent_in_restore(self, when, n):
        what, name, ns = f"agent killed {when} change {n} of a restore", f"ra-{when}-{n}", f"ra-{when}-{n}"
        self.clean()
        self.stop_agent()
        doomed = self.site.agent("doomed", None, self.doomed("/var/lib/kubelet/pods", when, n))
        self.site.make("Restore", name, {"backupName": "good", "namespaceMapping": {"web": ns}})
        killed = self.killed_or(doomed, lambda: self.final("restores", name), what)
        if not killed:
            doomed.terminate()
            doomed.wait()
        self.clean()
        status = self.site.phase("restores", name, FINAL)
        self.check.that(status["phase"] == "Completed", f"{what}: {status}")
        self.site.pod_ready(ns, "app")
        self.check.that(self.site.files(ns) == self.before, f"{what}: the files differ")
        self.site.drop_namespace(ns)
        return killed

    def controller_in_deletion(self, when, n):
        what, name = f"controller killed {when} change {n} of a deletion", f"d-{when}-{n}"
        self.clean()
        status = self.site.backup(name, includedNamespaces=["web"])
        self.check.that(status["phase"] == "Completed", f"{what}: {status}")
        self.stop_controller()
        self.site.make("DeleteBackupRequest", name, {"backupName": name}, {"velero.io/backup-name": name})
        doomed = self.site.controller("doomed", None, self.doomed(self.main, when, n))

        def gone():
            return (self.site.api.get(VELERO + "backups/" + name) is None and
                    self.site.api.get(VELERO + "deletebackuprequests/" + name) is None)
        killed = self.killed_or(doomed, gone, what)
        if not killed:
            doomed.terminate()
            doomed.wait()
        self.clean()
        eventually(gone, lambda: f"{what}: gone; {self.site.status('deletebackuprequests', name)}", 60)
        self.check.that(not os.path.exists(f"{self.main}/backups/{name}"), f"{what}: files are left")
        self.consistent(what)
        return killed

    def run(self):
        self.prepare()
        self.sweep("controller in a backup", self.controller_in_backup)
        self.sweep("agent in a backup", self.agent_in_backup)
        self.sweep("controller in a restore", self.controller_in_restore)
        self.sweep("agent in a restore", self.agent_in_restore)
        self.sweep("controller in a deletion", self.controller_in_deletion, 12)
        self.check.begin("in the end")
        status = self.site.restore("end", backupName="good", namespaceMapping={"web": "end"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("end") == self.before, "the first backup's files differ")
        done = self.site.cli("repo", "-r", self.main + "/restic/web", "check", "--no-lock", "--read-data",
                             extra={"RESTIC_PASSWORD": self.password})
        self.check.that(done.returncode == 0, f"repo check --read-data: {done.stdout}{done.stderr}")
        print(f"{self.kills} kills in all")


def main():
    enter_private_mounts()
    check = Checks()
    with Site(sys.argv[1]) as site:
        try:
            Sweep(site, check, "--long" in sys.argv).run()
        finally:
            if check.failed or sys.exc_info()[0]:
                site.print_logs()
    check.end()


main()
