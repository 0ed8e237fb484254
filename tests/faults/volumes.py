#!/usr/bin/env python3
"""Volumes that are special, at a whole installation in the sandbox: a claim that no pod mounts, and a restored pod whose
node boots again.

usage: volumes.py PROGRAMS_DIR. Exit code 77: namespaces cannot be made here.
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from sandbox_site import Checks, Site, VELERO, enter_private_mounts, eventually  # noqa: E402

BY_MOVER = "holdfast.dev/by-mover"


def pods(site, ns):
    return [pod["metadata"]["name"] for pod in site.api.items(f"/api/v1/namespaces/{ns}/pods")]


def of(site, plural, prefix):
    return [v for v in site.api.items(VELERO + plural) if v["metadata"]["name"].startswith(prefix + "-")]


def unmounted_claim(site, check):
    check.begin("a claim that no pod mounts")
    site.make_app("idle", {"big": os.urandom(1 << 20), "small": b"small"})
    before = site.files("idle")
    site.api.delete("/api/v1/namespaces/idle/pods/app")
    eventually(lambda: not pods(site, "idle"), "the pod is gone")
    status = site.backup("idle", includedNamespaces=["idle"])
    check.that(status["phase"] == "Completed", f"{status}")
    saved = of(site, "podvolumebackups", "idle")
    check.that(len(saved) == 1, f"{saved}")
    check.that(saved[0]["status"].get("phase") == "Completed", str(saved[0]["status"]))
    check.that(saved[0]["metadata"]["annotations"].get(BY_MOVER) == "true", str(saved[0]["metadata"]))
    eventually(lambda: not pods(site, "idle"), lambda: f"the mover is gone: {pods(site, 'idle')}")
    status = site.restore("idle", backupName="idle", namespaceMapping={"idle": "idle2"})
    check.that(status["phase"] == "Completed", f"{status}")
    back = of(site, "podvolumerestores", "idle")
    check.that(len(back) == 1 and back[0]["status"].get("phase") == "Completed", str(back))
    check.that(site.files("idle2") == before, "the files differ")
    check.that(not os.path.exists(site.volume("idle2") + "/.velero"), "a mark was left in the volume")
    eventually(lambda: not pods(site, "idle2"), lambda: f"the mover is gone: {pods(site, 'idle2')}")


def rights(site, check):
    check.begin("the accounts may do what they need and no more")
    for account, path, allowed in (
            ("velero", "/api/v1/namespaces/idle2/configmaps", True),
            ("velero-node-agent", "/api/v1/namespaces/velero/secrets/velero-repo-credentials", True),
            ("velero-node-agent", "/api/v1/namespaces/velero/secrets", False),
            ("velero-node-agent", "/api/v1/namespaces/idle2/configmaps", False)):
        check.that(site.may(account, path) == allowed, f"{account} reads {path}: not {allowed}")


def waited(pod):
    """When the container that waits was started, where it has ended; else empty."""
    state = pod["status"]["initContainerStatuses"][0].get("state", {})
    return state.get("terminated", {}).get("startedAt", "")


def booted_node(site, check):
    check.begin("a restored pod whose node boots")
    # The container that waits runs as the program's: only as root may it take the marks away.
    site.make_app("web", {"small": b"small"}, {"runAsUser": 0})
    status = site.backup("web", includedNamespaces=["web"])
    check.that(status["phase"] == "Completed", f"{status}")
    status = site.restore("web", backupName="web", namespaceMapping={"web": "web2"})
    check.that(status["phase"] == "Completed", f"{status}")
    site.pod_ready("web2", "app")
    path = "/api/v1/namespaces/web2/pods/app"
    before = site.api.get(path)
    with open(site.volume("web2") + "/later", "wb") as file:
        file.write(b"written by the program")
    mark = site.volume("web2") + "/.velero"
    check.that(not os.path.exists(mark), "the mark is still there, so the boot shows nothing")
    # Times of containers are in whole seconds, and the sandbox boots in less.
    eventually(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > waited(before), "the clock goes on")
    site.boot_again()

    def started_anew():
        pod = site.api.get(path)
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
        return ready and waited(pod) > waited(before) and pod
    pod = eventually(started_anew, lambda: f"the pod has waited again and runs: {site.api.get(path)['status']}", 60)
    check.that(pod["metadata"]["uid"] == before["metadata"]["uid"], "it is another pod")
    check.that(site.files("web2") == {"small": b"small", "later": b"written by the program"}, "the files differ")
    check.that(not os.path.exists(mark), "a mark was left in the volume")


def main():
    enter_private_mounts()
    check = Checks()
    with Site(sys.argv[1]) as site:
        try:
            check.begin("an installation")
            site.install()
            site.location("default", site.store + "/main", default=True)
            site.available("default")
            unmounted_claim(site, check)
            rights(site, check)
            booted_node(site, check)
        finally:
            if check.failed or sys.exc_info()[0]:
                site.print_logs()
    check.end()


main()
