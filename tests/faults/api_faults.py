#!/usr/bin/env python3
"""A backup and a restore while the API server fails, is slow, forgets watches and loses answers, over the wire.

Controller, agent and command line talk to the site through a proxy (api_fault_proxy.cc) that breaks what passes in one
way at a time. Under each fault the backup and the restore end; what says Completed has brought the same objects and files
as without any fault, what does not names the object; and once the fault is over the next backup is whole.

usage: api_faults.py PROGRAMS_DIR
"""
import json
import os
import subprocess
import sys
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, Site, enter_private_mounts  # noqa: E402

WRITES = "POST PUT PATCH DELETE"
FAULTS = [
    ("conflicts", {"kind": "status", "status": 409, "methods": "PUT PATCH", "every": 3}),
    ("too many requests", {"kind": "status", "status": 429, "every": 5}),
    ("internal errors", {"kind": "status", "status": 500, "every": 7}),
    ("internal errors of writes", {"kind": "status", "status": 500, "methods": WRITES, "every": 3}),
    ("service unavailable", {"kind": "status", "status": 503, "every": 4}),
    ("watches that are gone", {"kind": "gone_watch", "every": 2}),
    ("watches cut in the middle of an event", {"kind": "cut_watch", "every": 2}),
    ("truncated answers", {"kind": "truncate", "methods": "GET", "every": 6}),
    ("slow answers", {"kind": "slow", "milliseconds": 300, "every": 3}),
    ("lost answers of writes", {"kind": "lost_answer", "methods": WRITES, "every": 4}),
]
# What an API server gives each object anew.
OWN = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "namespace", "ownerReferences"}


class Faults:
    def __init__(self, site, check):
        self.site = site
        self.check = check
        self.main = site.store + "/main"

    def start_proxy(self):
        authority = self.site.work + "/ca.crt"
        open(authority, "w").write(self.site.api.ca_pem)
        self.proxy = subprocess.Popen([self.site.programs + "/api_fault_proxy", self.site.api.server, authority],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.site.processes.append(self.proxy)
        self.url = f"http://127.0.0.1:{int(self.proxy.stdout.readline())}"
        config = json.load(open(self.site.kubeconfig))
        config["clusters"][0]["cluster"] = {"server": self.url}
        self.kubeconfig = self.site.work + "/proxied"
        open(self.kubeconfig, "w").write(json.dumps(config))

    def fault(self, fault=None):
        """Sets the fault and answers how often the one before has struck."""
        struck = json.load(urllib.request.urlopen(self.url + "/-/fault"))["struck"]
        body = json.dumps(fault or {}).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + "/-/fault", data=body, method="POST"))
        return struck

    def objects(self, ns):
        """What a restore made in a namespace, without what is new each time."""
        out = {}
        for plural in ("configmaps", "pods", "persistentvolumeclaims", "serviceaccounts"):
            for item in self.site.api.items(f"/api/v1/namespaces/{ns}/{plural}"):
                meta = {k: v for k, v in item["metadata"].items() if k not in OWN}
                labels = {k: v for k, v in meta.get("labels", {}).items() if not k.startswith("velero.io/")}
                spec = {k: v for k, v in item.get("spec", {}).items() if k not in ("volumeName", "nodeName")}
                for secret in spec.get("volumes", []):
                    if secret["name"].startswith("kube-api-access-"):
                        secret["name"] = "kube-api-access"
                for container in spec.get("containers", []) + spec.get("initContainers", []):
                    for mount in container.get("volumeMounts", []):
                        if mount["name"].startswith("kube-api-access-"):
                            mount["name"] = "kube-api-access"
                    container["args"] = []
                out[f"{plural}/{meta['name']}"] = (labels, spec, item.get("data"))
        return out

    def told(self, verb, name, status):
        """An end that is no success says why, and of what."""
        if status["phase"] == "Completed":
            return
        told = status.get("failureReason", "") + "; ".join(status.get("validationErrors", []))
        if status["phase"] == "PartiallyFailed":
            told = self.site.log_of("controller-one")
        self.check.that(name in told or "told to fail" in told, f"{verb} {name} does not say why: {status}")

    def once(self, name, ns, bound):
        """A backup and a restore; whether both were Completed."""
        backup = self.site.backup(name, includedNamespaces=["web"], limit=bound)
        self.told("backup", name, backup)
        whole = os.path.exists(f"{self.main}/backups/{name}/velero-backup.json")
        self.check.that(whole == (backup["phase"] in ("Completed", "PartiallyFailed")), f"metadata: {whole}, {backup}")
        restore = self.site.restore(name, backupName="good", namespaceMapping={"web": ns}, limit=bound)
        self.told("restore", name, restore)
        if restore["phase"] == "Completed":
            self.site.pod_ready(ns, "app", bound)
            self.check.that(self.site.files(ns) == self.before, "the restored files differ")
            now = self.objects(ns)
            if self.expected is not None:
                for key in sorted(set(now) | set(self.expected)):
                    self.check.that(now.get(key) == self.expected.get(key),
                                    f"{key} differs: {now.get(key)} instead of {self.expected.get(key)}")
            self.expected = self.expected or now
        print(f"  backup {backup['phase']}, restore {restore['phase']}", flush=True)
        return backup["phase"] == restore["phase"] == "Completed"

    def command_line(self, name):
        """Reads and a write through the fault: a result, or an error, and nothing else."""
        for words in (["backup", "get"], ["backup", "describe", "good"],
                      ["backup", "create", name + "-cli", "--include-namespaces", "nosuch"]):
            done = self.site.cli("--kubeconfig", self.kubeconfig, *words)
            fine = done.returncode == 0 and (done.stdout or done.stderr)
            refused = done.returncode == 1 and done.stderr.startswith("An error occurred: ")
            self.check.that(fine or refused, f"{words}: {done.returncode} {done.stdout!r} {done.stderr!r}")

    def run(self):
        self.check.begin("without a fault")
        self.site.install_types()
        self.start_proxy()
        self.site.location("default", self.main, default=True)
        self.site.controller("one", self.kubeconfig)
        self.site.agent("one", self.kubeconfig)
        self.site.available("default")
        self.site.make_app("web", {"one": os.urandom(100000), "two": b"2"})
        self.before = self.site.files("web")
        self.expected = None
        self.check.that(self.site.backup("good", includedNamespaces=["web"])["phase"] == "Completed", "good")
        self.check.that(self.once("none", "none", 60), "without a fault")
        self.site.drop_namespace("none")
        survived = 0
        for title, fault in FAULTS:
            self.check.begin(title)
            name = title.replace(" ", "-")
            self.fault(fault)
            survived += self.once(name, name, 150)
            self.command_line(name)
            struck = self.fault()
            self.check.that(struck > 0, "the fault did not strike")
            print(f"  struck {struck} times", flush=True)
            after = self.site.backup(name + "-after", includedNamespaces=["web"], limit=150)
            self.check.that(after["phase"] == "Completed", f"the backup after it: {after}")
            self.site.drop_namespace(name)
        self.check.begin("in the end")
        done = self.site.cli("backup", "get")
        self.check.that(done.returncode == 0, done.stderr)
        self.check.that(survived >= len(FAULTS) // 2, f"only {survived} of {len(FAULTS)} faults were survived")
        print(f"backup and restore Completed under {survived} of {len(FAULTS)} faults")


def main():
    enter_private_mounts()
    check = Checks()
    with Site(sys.argv[1]) as site:
        try:
            Faults(site, check).run()
        finally:
            if check.failed or sys.exc_info()[0]:
                site.print_logs()
    check.end()



main()
