#!/usr/bin/env python3
"""Bad input, row by row, at a whole installation in the sandbox: each must end in a fitting phase, with one error that
names object, cause and next step, and lose nothing. docs/errors.md has the same table for readers.

usage: bad_input.py PROGRAMS_DIR. Exit code 77: namespaces cannot be made here.
"""
import base64
import io
import os
import sys
import tarfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, Site, VELERO, enter_private_mounts, eventually  # noqa: E402

BIG = 8 << 20
SECRET = "/api/v1/namespaces/velero/secrets/velero-repo-credentials"


def member(name, kind=tarfile.REGTYPE, link="", content=b"{}"):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = link
    entry.size = len(content) if kind == tarfile.REGTYPE else 0
    return entry, content


def tarball(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content) if entry.size else None)
    return out.getvalue()


def damaged_tarballs(whole):
    """name, bytes, what the failure reason must say, or the error of the one object that is wrong."""
    version = member("metadata/version", content=b"1.1.0")
    item = "resources/configmaps/namespaces/web/x.json"
    return [
        ("garbage", b"this is no gzip file" * 10, "gzip"),
        ("cut", whole[:len(whole) // 2], "gzip stream is cut off"),
        ("empty", b"", "gzip stream is cut off"),
        ("dotdot", tarball(version, member("resources/../../../etc/evil.json")),
         "tarball entry resources/../../../etc/evil.json: leads outside"),
        ("absolute", tarball(version, member("/etc/evil.json")), "tarball entry /etc/evil.json: not a relative path"),
        ("symlink", tarball(version, member(item, tarfile.SYMTYPE, "/etc/passwd")), f"tarball entry {item}: is a link"),
        ("bomb", tarball(version, member(item, content=b"\0" * (300 << 20))), f"tarball entry {item}: larger than allowed"),
        ("no-version", tarball(member(item)), "tarball has no metadata/version"),
    ]


class Table:
    def __init__(self, site, check):
        self.site = site
        self.check = check
        self.main = site.store + "/main"
        self.before = {}
        self.bridge = ""

    def run(self):
        self.prepare()
        for row in (self.unknown_namespace, self.malformed_cron, self.read_only_location, self.missing_directory,
                    self.unknown_location, self.wrong_repository_password, self.truncated_pack, self.corrupt_tarball,
                    self.object_that_is_no_json, self.full_store, self.full_volume):
            self.check.begin(row.__name__.replace("_", " "))
            row()
            self.nothing_lost()
        self.in_the_end()

    def prepare(self):
        self.check.begin("a good backup")
        self.site.install()
        self.site.location("default", self.main, default=True)
        self.site.available("default")
        self.site.make_app("web", {"big": os.urandom(BIG), "small": b"small"})
        self.before = self.site.files("web")
        self.bridge = self.site.bridge_address()
        status = self.site.backup("good", includedNamespaces=["web"])
        self.check.that(status["phase"] == "Completed", str(status))

    # ---- what every row asks

    def refused(self, verb, name, words, phase, *parts, code=1):
        """Runs a create verb with --wait: its exit code, its stderr and the object's status say the same."""
        done = self.site.cli(verb, "create", name, *words, "--wait")
        self.check.that(done.returncode == code, f"exit code {done.returncode}, not {code}: {done.stderr}")
        self.check.contains(done.stderr, f"An error occurred: {verb} {name} is {phase}: ", *parts)
        self.check.contains(done.stderr, f"`holdfast {verb} describe {name} --details` tells more")
        self.check.contains(done.stdout, f"completed with status: {phase}.")
        status = self.site.status(verb + "s", name)
        self.check.that(status.get("phase") == phase, f"phase of {verb} {name}: {status}")
        if phase == "FailedValidation":
            told = "; ".join(status.get("validationErrors", []))
        elif phase == "Failed":
            told = status.get("failureReason", "")
        else:
            self.check.that(status.get("errors", 0) > 0, f"errors are counted: {status}")
            told = self.site.cli(verb, "describe", name, "--details").stdout
        self.check.contains(told, *parts)
        return status

    def volume_failed(self, plural, prefix, *parts):
        found = [v for v in self.site.api.items(VELERO + plural) if v["metadata"]["name"].startswith(prefix + "-")]
        self.check.that(len(found) == 1, f"{plural} of {prefix}: {[v['metadata']['name'] for v in found]}")
        for volume in found:
            self.check.that(volume["status"]["phase"] == "Failed", str(volume["status"]))
            self.check.contains(volume["status"].get("message", ""), *parts)

    def repo(self, *words, ns="web", directory=None):
        password = base64.b64decode(self.site.api.get(SECRET)["data"]["repository-password"]).decode()
        return self.site.cli("repo", "-r", f"{directory or self.main}/restic/{ns}", *words,
                             extra={"RESTIC_PASSWORD": password})

    def nothing_lost(self):
        """The good backup is still there and whole, and its repository clean."""
        status = self.site.status("backups", "good")
        self.check.that(status.get("phase") == "Completed", f"the good backup: {status}")
        described = self.site.cli("backup", "describe", "good", "--details")
        self.check.that(described.returncode == 0 and not described.stderr, f"describe good: {described}")
        self.check.contains(described.stdout, "web/app: data")
        done = self.repo("check", "--read-data")
        self.check.that(done.returncode == 0, f"repo check: {done.returncode} {done.stdout} {done.stderr}")

    # ---- rows

    def unknown_namespace(self):
        self.refused("backup", "ns", ["--include-namespaces", "nosuch"], "FailedValidation",
                     'Invalid included/excluded namespace lists: Namespace "nosuch" not found')

    def malformed_cron(self):
        wording = "invalid schedule: End of range (61) above maximum (59): 61"
        done = self.site.cli("schedule", "create", "cron", "--schedule", "61 * * * *")
        self.check.that(done.returncode == 1, f"exit code {done.returncode}")
        self.check.contains(done.stderr, "An error occurred: schedule cron: " + wording, "nothing was created")
        self.check.that(not self.site.status("schedules", "cron"), "the schedule was created all the same")
        self.site.make("Schedule", "cron", {"schedule": "61 * * * *", "template": {}})
        status = self.site.phase("schedules", "cron", "FailedValidation")
        self.check.that(status["validationErrors"] == [wording], str(status))
        self.check.contains(self.site.cli("schedule", "describe", "cron").stdout, wording)

    def read_only_location(self):
        self.site.location("ro", self.main, read_only=True)
        self.site.available("ro")
        self.refused("backup", "ro", ["--storage-location", "ro"], "FailedValidation",
                     "backup can't be created because backup storage location ro is currently in read-only mode")
        self.check.that(not os.path.exists(self.main + "/backups/ro"), "something was written")

    def missing_directory(self):
        self.site.location("nodir", self.site.store + "/nosuch", read_only=True)
        status = self.site.phase("backupstoragelocations", "nodir", "Unavailable")
        self.check.contains(status["message"], 'BackupStorageLocation "nodir" is unavailable: ', "/nosuch",
                            "No such file or directory", "make the directory, or mount what should be there")
        self.check.contains(self.site.cli("backup-location", "get").stdout, "Unavailable")

    def unknown_location(self):
        done = self.site.cli("backup", "create", "noloc", "--storage-location", "nosuch", "--wait")
        self.check.that(done.returncode == 1, f"exit code {done.returncode}")
        self.check.contains(done.stderr, 'backupstoragelocations.velero.io "nosuch" not found')
        status = self.site.backup("noloc", storageLocation="nosuch")
        self.check.that(status["phase"] == "FailedValidation", str(status))
        self.check.contains("; ".join(status["validationErrors"]), "nosuch")

    def wrong_repository_password(self):
        right = self.site.api.get(SECRET)["data"]
        self.site.api.merge(SECRET, {"data": {"repository-password": base64.b64encode(b"wrong").decode()}})
        try:
            parts = ("repository of namespace web in backup location default", "wrong password",
                     "Secret velero-repo-credentials holds another password", "import the recovery kit")
            self.refused("backup", "password",
                         ["--include-namespaces", "web", "--default-volumes-to-fs-backup"], "PartiallyFailed", *parts, code=3)
            self.volume_failed("podvolumebackups", "password", *parts)
            self.refused("restore", "password", ["--from-backup", "good", "--namespace-mappings", "web:web-password"],
                         "PartiallyFailed", *parts, code=3)
            self.volume_failed("podvolumerestores", "password", *parts)
            wrong = self.repo("snapshots")
            self.check.that(wrong.returncode == 12, f"repo snapshots: exit code {wrong.returncode}")
            self.check.contains(wrong.stderr, "wrong password", self.main + "/restic/web")
        finally:
            self.site.api.merge(SECRET, {"data": right})
        self.site.drop_namespace("web-password")

    def truncated_pack(self):
        packs = [os.path.join(d, n) for d, _, names in os.walk(self.main + "/restic/web/data") for n in names]
        pack = max(packs, key=os.path.getsize)
        whole = open(pack, "rb").read()
        open(pack, "wb").write(whole[:len(whole) // 2])
        try:
            parts = ("/big: ", "restic/web", os.path.basename(pack), "the pack is truncated; run check")
            self.refused("restore", "pack", ["--from-backup", "good", "--namespace-mappings", "web:web-pack"],
                         "PartiallyFailed", *parts, code=3)
            self.volume_failed("podvolumerestores", "pack", *parts)
            done = self.repo("check", "--read-data")
            self.check.that(done.returncode == 1, f"repo check: exit code {done.returncode}")
            self.check.contains(done.stderr + done.stdout, os.path.basename(pack)[:8])
        finally:
            open(pack, "wb").write(whole)
        self.site.drop_namespace("web-pack")

    def corrupt_tarball(self):
        path = self.main + "/backups/good/good.tar.gz"
        whole = open(path, "rb").read()
        try:
            for name, body, reason in damaged_tarballs(whole):
                self.check.row = "corrupt tarball: " + name
                open(path, "wb").write(body)
                self.refused("restore", "tar-" + name, ["--from-backup", "good", "--namespace-mappings", "web:web-tar"],
                             "Failed", "backups/good/good.tar.gz", reason, "the file is damaged: put it back from a copy")
                self.check.that(self.site.api.get("/api/v1/namespaces/web-tar") is None, "objects were restored")
        finally:
            open(path, "wb").write(whole)

    def object_that_is_no_json(self):
        path = self.main + "/backups/good/good.tar.gz"
        whole = open(path, "rb").read()
        try:
            open(path, "wb").write(tarball(member("metadata/version", content=b"1.1.0"),
                                           member("resources/configmaps/namespaces/web/x.json", content=b"{oh"),
                                           member("resources/configmaps/namespaces/web/y.json", content=(
                                               b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y",'
                                               b'"namespace":"web"}}'))))
            self.site.make("Restore", "nojson", {"backupName": "good", "namespaceMapping": {"web": "web-tar"}})
            status = self.site.phase("restores", "nojson", "PartiallyFailed")
            self.check.that(status["errors"] == 1, str(status))
            self.check.contains(self.site.cli("restore", "describe", "nojson").stdout, "configmaps web/x: not JSON")
            self.check.that(self.site.api.get("/api/v1/namespaces/web-tar/configmaps/y") is not None,
                            "the other object was not restored")
        finally:
            open(path, "wb").write(whole)
        self.site.drop_namespace("web-tar")

    def fill(self, directory, leave):
        """Fills a small file system up to that many bytes."""
        stat = os.statvfs(directory)
        with open(directory + "/filler", "ab") as filler:
            os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, stat.f_bavail * stat.f_bsize - leave)

    def full_store(self):
        store = self.site.full_store + "/x"
        self.site.location("full", store)
        self.site.available("full")
        status = self.site.backup("full-before", includedNamespaces=["web"], storageLocation="full")
        self.check.that(status["phase"] == "Completed", str(status))
        where = ["--include-namespaces", "web", "--default-volumes-to-fs-backup", "--storage-location", "full"]
        parts = ("No space left on device", store, "free space on that file system, then try again")
        with open(self.site.volume("web") + "/more", "wb") as more:
            more.write(os.urandom(BIG))
        # Room for the small files of a backup, not for the volume's data.
        self.fill(self.site.full_store, 2 << 20)
        self.refused("backup", "full-data", where, "PartiallyFailed", *parts, code=3)
        self.volume_failed("podvolumebackups", "full-data", *parts)
        self.fill(self.site.full_store, 0)
        self.refused("backup", "full-all", where, "Failed", *parts)
        self.check.that(not os.path.exists(store + "/backups/full-all/velero-backup.json"), "it looks like a backup")
        os.unlink(self.site.full_store + "/filler")
        status = self.site.backup("full-after", includedNamespaces=["web"], storageLocation="full")
        self.check.that(status["phase"] == "Completed", str(status))
        os.unlink(self.site.volume("web") + "/more")
        done = self.repo("check", "--read-data", directory=store)
        self.check.that(done.returncode == 0, f"repo check of the store that was full: {done.stderr}")
        status = self.site.restore("full-before", backupName="full-before", namespaceMapping={"web": "full-before"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("full-before") == self.before, "the backup made before differs")
        self.site.drop_namespace("full-before")

    def full_volume(self):
        self.fill(self.site.volumes, 2 << 20)
        try:
            parts = ("/big: ", "No space left on device", "free space on that file system, then try again")
            self.refused("restore", "volume", ["--from-backup", "good", "--namespace-mappings", "web:web-volume"],
                         "PartiallyFailed", *parts, code=3)
            self.volume_failed("podvolumerestores", "volume", *parts)
        finally:
            os.unlink(self.site.volumes + "/filler")
        self.site.drop_namespace("web-volume")

    def in_the_end(self):
        self.check.begin("in the end everything comes back")
        status = self.site.restore("again", backupName="good", namespaceMapping={"web": "again"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("again") == self.before, "the files differ")
        # Pods have come and gone; a bridge that changes its address then cuts the others off for a minute.
        self.check.that(self.bridge == self.site.bridge_address(), "the node's bridge changed its hardware address")
        # A read-only location gives its backups, and keeps them.
        for location in self.site.api.items(VELERO + "backupstoragelocations"):
            if location["metadata"]["name"] == "default":
                self.site.api.merge(VELERO + "backupstoragelocations/default", {"spec": {"accessMode": "ReadOnly"}})
        done = self.site.cli("backup", "delete", "good", "--confirm")
        self.check.that(done.returncode == 0, done.stderr)

        def errors():
            return [r for r in self.site.api.items(VELERO + "deletebackuprequests") if r.get("status", {}).get("errors")]
        request = eventually(errors, "the deletion is refused")[0]
        self.check.contains(request["status"]["errors"][0], "cannot delete backup", "location default", "read-only mode")
        status = self.site.restore("from-ro", backupName="good", namespaceMapping={"web": "from-ro"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("from-ro") == self.before, "the files differ")


def main():
    enter_private_mounts()
    check = Checks()
    with Site(sys.argv[1]) as site:
        try:
            Table(site, check).run()
        finally:
            if check.failed or sys.exc_info()[0]:
                site.print_logs()
    check.end()


main()
