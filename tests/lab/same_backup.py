#!/usr/bin/env python3
"""Compares the structure of two backups of one application: ours, and one that Velero wrote.

usage: same_backup.py OURS_DIRECTORY VELERO_DIRECTORY       (each a backups/NAME of a bucket)

Equal have to be: the names of the files; the members of velero-backup.json, of the PodVolumeBackups and of the volume
infos; the objects in tarball and resource list, by type and name and as paths, but for types whose names a cluster
makes up; the small files that hold nothing. Members that we add are named here. Exit code 1: differences, printed.
"""
import gzip
import json
import os
import sys
import tarfile

# Names that a controller makes up anew at each cluster, or that tell of the cluster's past.
MADE_UP = {"events", "persistentvolumes", "endpointslices.discovery.k8s.io"}
MADE_UP_KINDS = {"v1/Event", "v1/PersistentVolume", "discovery.k8s.io/v1/EndpointSlice"}
# What a client or the API server fills in, and maps whose members are data.
LEFT_OUT = {"managedFields", "annotations", "labels", "tags", "resourceVersion", "generation", "selfLink"}
# What 1.14 does not write and we do, after newer versions or because a reader needs it.
OURS = {
    "volumeinfo.json.gz": {"[].result", "[].pvbInfo.Phase", "[].pvbInfo.incrementalSize"},
    "podvolumebackups.json.gz": {"[].kind", "[].apiVersion", "[].status.incrementalBytes"},
}
# Lists of snapshot objects, empty here, which newer versions do not write any more.
GONE = {f"BACKUP-csi-{what}.json.gz" for what in ("volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses")}

differences = []


def differ(text):
    differences.append(text)


def compare_sets(what, ours, theirs, allowed=frozenset()):
    for name in sorted(theirs - ours):
        differ(f"{what}: {name} is missing")
    for name in sorted(ours - theirs - allowed):
        differ(f"{what}: {name} is not in Velero's")


def members(value, path=""):
    """The paths of all members; elements of lists share a path."""
    if isinstance(value, dict):
        found = set()
        for name, inner in value.items():
            if name in LEFT_OUT:
                continue
            here = f"{path}.{name}" if path else name
            found |= {here} | members(inner, here)
        return found
    if isinstance(value, list):
        return set().union(*(members(inner, path + "[]") for inner in value)) if value else set()
    return set()


class Backup:
    def __init__(self, directory):
        self.directory, self.name = directory, os.path.basename(directory.rstrip("/"))

    def files(self):
        prefix = self.name + "-"
        plain = {self.name + ".tar.gz": "CONTENTS.tar.gz"}
        return {plain.get(f, "BACKUP-" + f[len(prefix):] if f.startswith(prefix) else f) for f in os.listdir(self.directory)}

    def metadata(self):
        with open(os.path.join(self.directory, "velero-backup.json")) as file:
            return json.load(file)

    def load(self, suffix):
        with gzip.open(os.path.join(self.directory, f"{self.name}-{suffix}")) as file:
            return json.load(file)

    def entries(self):
        with tarfile.open(os.path.join(self.directory, self.name + ".tar.gz")) as tar:
            names = {entry.name for entry in tar if entry.isfile()}
        return {name for name in names if len(name.split("/")) < 2 or name.split("/")[1] not in MADE_UP}

    def volumes(self):
        return {
            (v.get("pvcNamespace", ""), v.get("pvcName", ""), v["backupMethod"], v["pvbInfo"]["podNamespace"],
             v["pvbInfo"]["podName"], v["pvbInfo"]["volumeName"], v["pvbInfo"]["uploaderType"])
            for v in self.load("volumeinfo.json.gz")
        }

    def types(self):
        return {kind: set(names) for kind, names in self.load("resource-list.json.gz").items()}


def main(ours, theirs):
    compare_sets("files", ours.files(), theirs.files() - GONE)
    compare_sets("velero-backup.json", members(ours.metadata()), members(theirs.metadata()))
    compare_sets("tarball", ours.entries(), theirs.entries())
    mine, yours = ours.types(), theirs.types()
    compare_sets("resource list", set(mine), set(yours))
    for kind in set(mine) & set(yours) - MADE_UP_KINDS:
        compare_sets(f"resource list, {kind}", mine[kind], yours[kind])
    compare_sets("volumes", ours.volumes(), theirs.volumes())
    for suffix in ("volumeinfo.json.gz", "podvolumebackups.json.gz"):
        compare_sets(suffix, members(ours.load(suffix)), members(theirs.load(suffix)), OURS[suffix])
    for suffix in ("results.gz", "itemoperations.json.gz", "volumesnapshots.json.gz"):
        if ours.load(suffix) != theirs.load(suffix):
            differ(f"{suffix}: {ours.load(suffix)} is not {theirs.load(suffix)}")
    print("\n".join(differences) or "the same structure")
    return 1 if differences else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Backup(sys.argv[1]), Backup(sys.argv[2])))
