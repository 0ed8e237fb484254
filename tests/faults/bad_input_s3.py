#!/usr/bin/env python3
"""The rows of the bad-input table that need an S3 server: an unknown bucket, a wrong secret. Each makes the
location Unavailable with one clear message, refuses backups by name, and costs the backups made before nothing.

usage: bad_input_s3.py PROGRAMS_DIR, with HOLDFAST_S3_ENDPOINT and the server's keys in the environment
"""
import base64
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, Site, VELERO, enter_private_mounts, make_bucket  # noqa: E402

ENDPOINT = os.environ["HOLDFAST_S3_ENDPOINT"].rstrip("/")
KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]


class Table:
    def __init__(self, site, check):
        self.site = site
        self.check = check

    def credentials(self, name, secret):
        text = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n"
        path = "/api/v1/namespaces/velero/secrets"
        data = {"cloud": base64.b64encode(text.encode()).decode()}
        if self.site.api.get(path + "/" + name):
            self.site.api.merge(path + "/" + name, {"data": data})
        else:
            self.site.api.create(path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})

    def location(self, name, bucket, credentials):
        self.site.make("BackupStorageLocation", name, {
            "provider": "aws", "objectStorage": {"bucket": bucket}, "credential": {"name": credentials, "key": "cloud"},
            "config": {"region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": ENDPOINT}})

    def refused(self, name, *parts):
        """The location says why, and a backup into it is refused by name and told on the command line."""
        status = self.site.phase("backupstoragelocations", name, "Unavailable", 90)
        self.check.contains(status["message"], f'BackupStorageLocation "{name}" is unavailable: ', *parts)
        self.check.that(SECRET not in status["message"] and "not-the-secret" not in status["message"], "a secret is told")
        done = self.site.cli("backup", "create", "into-" + name, "--storage-location", name, "--wait")
        self.check.that(done.returncode == 1, f"exit code {done.returncode}: {done.stderr}")
        self.check.contains(done.stderr, f"An error occurred: backup into-{name} is Failed", name)
        self.check.that(self.site.status("backups", "into-" + name)["phase"] in ("Failed", "FailedValidation"), "phase")
        self.check.contains(self.site.cli("backup-location", "get").stdout, name, "Unavailable")

    def whole(self, name):
        status = self.site.backup(name, includedNamespaces=["web"], storageLocation="good")
        self.check.that(status["phase"] == "Completed", f"{name}: {status}")

    def run(self):
        self.check.begin("a good backup")
        make_bucket(ENDPOINT, "good")
        self.site.install_types()
        self.credentials("right", SECRET)
        self.credentials("wrong", "not-the-secret")
        self.location("good", "good", "right")
        self.site.controller("one")
        self.site.agent("one")
        self.site.available("good")
        self.site.make_app("web", {"file": b"content" * 1000})
        self.whole("first")
        self.check.begin("unknown bucket")
        self.location("nobucket", "nosuchbucket", "right")
        self.refused("nobucket", "nosuchbucket", "NoSuchBucket")
        self.check.begin("wrong secret")
        self.location("badsecret", "good", "wrong")
        self.refused("badsecret", "SignatureDoesNotMatch")
        self.check.begin("the secret of a good location goes wrong, and right again")
        self.credentials("right", "not-the-secret")
        status = self.site.backup("meanwhile", includedNamespaces=["web"], storageLocation="good", limit=120)
        self.check.that(status["phase"] in ("Failed", "FailedValidation"), f"{status}")
        self.credentials("right", SECRET)
        self.site.api.merge(VELERO + "backupstoragelocations/good", {"spec": {"validationFrequency": "1s"}})
        self.site.available("good")
        self.whole("second")
        self.check.begin("in the end")
        status = self.site.restore("end", backupName="first", namespaceMapping={"web": "end"})
        self.check.that(status["phase"] == "Completed", str(status))
        self.check.that(self.site.files("end") == {"file": b"content" * 1000}, "the files differ")


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
