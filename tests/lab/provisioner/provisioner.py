#!/usr/bin/env python3
"""The lab's volume provisioner: a directory on the node for each claim.

For a claim that the volume controller leaves to `holdfast.dev/lab-local` and
that the scheduler has assigned to this node, it makes a directory and a `local`
PersistentVolume with node affinity, pre-bound to the claim. A volume of its own
that was released under the reclaim policy Delete is removed, directory first.
Local and not hostPath volumes, because a kubelet mounts only the former below
/var/lib/kubelet/pods, where a node agent finds them.

Every step can be repeated: names follow from the claim's uid, "already exists"
and "not found" count as done, and after each (re)connection everything is
listed and looked at again. So the process may be killed at any time.
"""
import argparse
import http.client
import json
import os
import queue
import shutil
import ssl
import sys
import threading
import time
import urllib.parse

PROVISIONER = "holdfast.dev/lab-local"
CLAIMED_FOR = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
WATCH_SECONDS = 300


class Refused(Exception):
    """An answer of the API server other than 2xx."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """The few calls needed, one connection each."""

    def __init__(self, server, ca, certificate, key):
        self.address = urllib.parse.urlsplit(server)
        self.tls = ssl.create_default_context(cafile=ca)
        self.tls.load_cert_chain(certificate, key)

    def open(self, method, path, body=None, timeout=20):
        connection = http.client.HTTPSConnection(self.address.hostname, self.address.port, timeout=timeout, context=self.tls)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", "Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status >= 300:
                raise Refused(answer.status, answer.read(4096).decode(errors="replace"))
            return connection, answer
        except BaseException:
            connection.close()
            raise

    def call(self, method, path, body=None):
        connection, answer = self.open(method, path, body)
        try:
            return json.loads(answer.read())
        finally:
            connection.close()

    def watch(self, path, version):
        """Yields objects as they change, until the server ends the watch."""
        question = urllib.parse.urlencode({"watch": 1, "resourceVersion": version, "timeoutSeconds": WATCH_SECONDS})
        connection, answer = self.open("GET", f"{path}?{question}", timeout=WATCH_SECONDS + 30)
        try:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Refused(event["object"].get("code", 0), event["object"].get("message", ""))
                if event["type"] != "DELETED":
                    yield event["object"]
        finally:
            connection.close()


class Provisioner:
    def __init__(self, api, node, directory):
        self.api, self.node, self.directory = api, node, directory

    def handle(self, kind, thing):
        if kind == CLAIMS:
            self.claim(thing)
        else:
            self.volume(thing)

    def claim(self, claim):
        notes = claim["metadata"].get("annotations", {})
        if not any(notes.get(name) == PROVISIONER for name in CLAIMED_FOR):
            return
        if notes.get(SELECTED_NODE) != self.node or claim["spec"].get("volumeName") or "deletionTimestamp" in claim["metadata"]:
            return
        if claim.get("status", {}).get("phase") != "Pending":
            return
        problem = self.unsupported(claim)
        if problem:
            self.report(claim, "Warning", "ProvisioningFailed", problem)
            return
        name = "pvc-" + claim["metadata"]["uid"]
        self.make_directory(name)
        try:
            self.api.call("POST", VOLUMES, self.volume_for(claim, name))
        except Refused as refusal:
            if refusal.status != 409:
                raise
        else:
            print(f"made {name} for {claim['metadata']['namespace']}/{claim['metadata']['name']}", flush=True)
            self.report(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    @staticmethod
    def unsupported(claim):
        if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
            return "the lab's provisioner makes no block volumes"
        if claim["spec"].get("dataSource") or claim["spec"].get("dataSourceRef"):
            return "the lab's provisioner fills no volume from a data source"
        return None

    def make_directory(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)  # whatever user the pod runs as, like other provisioners of directories

    def volume_for(self, claim, name):
        storage_class = claim["spec"].get("storageClassName", "")
        policy = self.api.call("GET", "/apis/storage.k8s.io/v1/storageclasses/" + storage_class).get("reclaimPolicy", "Delete")
        meta = claim["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
            "spec": {
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "accessModes": claim["spec"]["accessModes"],
                "volumeMode": "Filesystem",
                "persistentVolumeReclaimPolicy": policy,
                "storageClassName": storage_class,
                "local": {"path": os.path.join(self.directory, name)},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": meta["namespace"],
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [self.node]}]}]}},
            },
        }

    def volume(self, volume):
        meta, spec = volume["metadata"], volume["spec"]
        if meta.get("annotations", {}).get(PROVISIONED_BY) != PROVISIONER:
            return
        if volume.get("status", {}).get("phase") != "Released" or spec.get("persistentVolumeReclaimPolicy") != "Delete":
            return
        path = spec.get("local", {}).get("path", "")
        if os.path.dirname(path) != self.directory:  # not one that this process would have made
            return
        if os.path.isdir(path):
            shutil.rmtree(path)
        try:
            self.api.call("DELETE", f"{VOLUMES}/{meta['name']}", {"preconditions": {"uid": meta["uid"]}})
        except Refused as refusal:
            if refusal.status not in (404, 409):
                raise
        else:
            print(f"removed {meta['name']}", flush=True)

    def report(self, claim, kind, reason, message):
        meta = claim["metadata"]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.api.call("POST", f"/api/v1/namespaces/{meta['namespace']}/events", {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": meta["name"] + "."},
            "involvedObject": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta["namespace"],
                               "name": meta["name"], "uid": meta["uid"]},
            "type": kind, "reason": reason, "message": message, "count": 1,
            "firstTimestamp": now, "lastTimestamp": now, "source": {"component": PROVISIONER},
        })


def follow(api, kind, work):
    """Feeds the work queue with every object of the kind, and with it again at each change."""
    while True:
        try:
            listed = api.call("GET", kind)
            for thing in listed["items"]:
                work.put((kind, thing, False))
            for thing in api.watch(kind, listed["metadata"]["resourceVersion"]):
                work.put((kind, thing, False))
        except (OSError, http.client.HTTPException, ValueError, Refused) as problem:
            print(f"{kind}: {problem}; listing again", file=sys.stderr, flush=True)
            time.sleep(1)


def current(api, kind, thing):
    """The object as it is now, or None when it is gone."""
    meta = thing["metadata"]
    path = f"{VOLUMES}/{meta['name']}"
    if kind == CLAIMS:
        path = f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/{meta['name']}"
    try:
        return api.call("GET", path)
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("server", "ca", "certificate", "key", "node", "directory"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    api = Api(options.server, options.ca, options.certificate, options.key)
    provisioner = Provisioner(api, options.node, options.directory.rstrip("/"))
    work = queue.Queue()
    for kind in (CLAIMS, VOLUMES):
        threading.Thread(target=follow, args=(api, kind, work), daemon=True).start()
    while True:
        kind, thing, again = work.get()
        try:
            if again:  # it may have changed or gone since it was put off
                thing = current(api, kind, thing)
            if thing is not None:
                provisioner.handle(kind, thing)
        except (OSError, http.client.HTTPException, ValueError, Refused) as problem:
            print(f"{kind} {thing['metadata']['name']}: {problem}; trying again", file=sys.stderr, flush=True)
            threading.Timer(2, work.put, [(kind, thing, True)]).start()


if __name__ == "__main__":
    main()
