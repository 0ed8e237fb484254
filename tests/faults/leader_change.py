#!/usr/bin/env python3
"""Two controllers, and the one that leads is lost in the middle of a backup: by kill -9, and by a freeze out of which it
comes back. The backup in flight ends Failed and says why, the next one succeeds, and no file of a backup is ever written
by two controllers.

A backup is held in its middle by a volume whose node agent is not there yet.

usage: leader_change.py PROGRAMS_DIR
"""
import hashlib
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, Site, VELERO, enter_private_mounts, eventually  # noqa: E402

LEASE = "/apis/coordination.k8s.io/v1/namespaces/velero/leases/velero-server"


class Change:
    def __init__(self, site, check):
        self.site = site
        self.check = check
        self.main = site.store + "/main"
        self.replicas = {}

    def holder(self):
        lease = self.site.api.get(LEASE)
        return ((lease or {}).get("spec", {}).get("holderIdentity") or "").split("_")[0]

    def start(self, name):
        self.replicas[name] = self.site.controller(name, lease="6s")

    def leads(self, name):
        eventually(lambda: self.holder() == name, lambda: f"{name} leads; it is {self.holder()!r}", 60)

    def files(self, name):
        directory = f"{self.main}/backups/{name}"
        if not os.path.isdir(directory):
            return {}
        return {file: hashlib.sha256(open(f"{directory}/{file}", "rb").read()).hexdigest()
                for file in os.listdir(directory)}

    def held_backup(self, name):
        """A backup that is in progress, with its volume asked for and nobody there to save it."""
        self.site.make("Backup", name, {"includedNamespaces": ["web"], "defaultVolumesToFsBackup": True})
        self.site.phase("backups", name, "InProgress")
        eventually(lambda: [v for v in self.site.api.items(VELERO + "podvolumebackups")
                            if v["metadata"]["name"].startswith(name + "-")], f"the volume of {name} is asked for")

    def lost(self, name):
        """The new leader says what became of the backup."""
        status = self.site.phase("backups", name, "Failed")
        self.check.contains(status.get("failureReason", ""), "controller lost",
                            "the process that ran this backup is gone", "is not a backup")
        self.check.that("completionTimestamp" in status, str(status))
        self.check.that("velero-backup.json" not in self.files(name), f"{name} has metadata")

    def good_backup(self, name):
        agent = self.site.agent("one")
        status = self.site.backup(name, includedNamespaces=["web"])
        self.check.that(status["phase"] == "Completed", f"{name}: {status}")
        # The volumes of lost backups are dropped, by the agent that meets them.
        eventually(lambda: all(v.get("status", {}).get("phase") in ("Completed", "Failed", "Canceled")
                               for v in self.site.api.items(VELERO + "podvolumebackups")), "all volumes have ended")
        agent.terminate()
        agent.wait()

    def run(self):
        self.check.begin("two replicas, one leads")
        self.site.install_types()
        self.site.location("default", self.main, default=True)
        self.site.make_app("web", {"file": b"content" * 1000})
        self.start("east")
        self.leads("east")
        self.start("west")
        self.site.available("default")
        self.good_backup("first")
        first = self.files("first")

        self.check.begin("the leader is killed in the middle of a backup")
        self.held_backup("killed")
        self.site.kill(self.replicas["east"])
        self.leads("west")
        self.lost("killed")
        self.good_backup("second")
        second = self.files("second")

        self.check.begin("the leader is frozen in the middle of a backup, and comes back")
        self.start("north")
        self.held_backup("frozen")
        self.replicas["west"].send_signal(signal.SIGSTOP)
        self.leads("north")
        self.lost("frozen")
        before = self.files("frozen")
        ended = self.site.status("backups", "frozen")
        # What the frozen one waits for is there when it comes back: nothing but the lost lease keeps it from finishing.
        for volume in self.site.api.items(VELERO + "podvolumebackups"):
            if volume["metadata"]["name"].startswith("frozen-"):
                self.site.api.merge(VELERO + "podvolumebackups/" + volume["metadata"]["name"],
                                    {"status": {"phase": "Completed", "snapshotID": "0123abcd"}})
        self.replicas["west"].send_signal(signal.SIGCONT)
        self.replicas["west"].wait(60)
        self.check.that(self.replicas["west"].returncode == 1, f"it ended with {self.replicas['west'].returncode}")
        self.check.contains(self.site.log_of("controller-west"), "the lease velero-server was lost")
        self.check.that(self.files("frozen") == before, "the frozen controller wrote files of its backup")
        self.check.that(self.site.status("backups", "frozen") == ended,
                        f"the status changed: {json.dumps(self.site.status('backups', 'frozen'))}")
        self.check.that(self.holder() == "north", f"{self.holder()} leads")
        self.good_backup("third")

        self.check.begin("in the end")
        self.check.that(self.files("first") == first and self.files("second") == second, "files of backups changed")
        attempts = []
        for name in ("first", "second", "third"):
            metadata = json.load(open(f"{self.main}/backups/{name}/velero-backup.json"))
            attempts.append(metadata["metadata"]["annotations"]["holdfast.dev/attempt"])
        self.check.that(len(set(attempts)) == 3, f"attempts {attempts}")
        for name in ("first", "second", "third"):
            started = [line for who in self.replicas for line in self.site.log_of("controller-" + who).splitlines()
                       if 'msg="backup started"' in line and f"backup={name} " in line]
            self.check.that(len(started) == 1, f"{name} was started {len(started)} times")
        self.site.agent("two")
        status = self.site.restore("end", backupName="first", namespaceMapping={"web": "end"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("end") == {"file": b"content" * 1000}, "the files differ")


def main():
    enter_private_mounts()
    check = Checks()
    with Site(sys.argv[1]) as site:
        try:
            Change(site, check).run()
        finally:
            if check.failed or sys.exc_info()[0]:
                site.print_logs()
    check.end()


main()
