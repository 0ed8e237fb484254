#!/usr/bin/env python3
"""Packs a directory as a one-layer OCI image archive for `ctr images import`.

usage: oci_image.py OUT.tar REF ROOTFS [ENTRYPOINT...]

The archive depends on nothing but the arguments and the content, names, modes
and links below ROOTFS: owners become root, times become the epoch, names are
sorted. So the same directory always gives the same digests, and an import of
an unchanged image is quick. OUT.tar appears by rename, whole.

Format: OCI image layout 1.0.0 (a tar with oci-layout, index.json and
blobs/sha256/DIGEST); containerd takes the image's name from the annotation
io.containerd.image.name of the index entry.
"""
import gzip
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
import tempfile

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class HashingFile:
    """Passes writes on and remembers their digest and length."""

    def __init__(self, target):
        self.target, self.digest, self.size = target, hashlib.sha256(), 0

    def write(self, data):
        self.digest.update(data)
        self.size += len(data)
        return self.target.write(data)

    def flush(self):
        self.target.flush()

    def name(self):
        return "sha256:" + self.digest.hexdigest()


def plain(entry):
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    return entry


def add_sorted(tar, root, inside):
    for name in sorted(os.listdir(os.path.join(root, inside))):
        path = os.path.join(inside, name)
        full = os.path.join(root, path)
        tar.add(full, arcname=path, recursive=False, filter=plain)
        if os.path.isdir(full) and not os.path.islink(full):
            add_sorted(tar, root, path)


def write_layer(out, root):
    """Writes the gzipped layer; returns (digest of the plain tar, digest and size of the gzip)."""
    packed = HashingFile(out)
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=1, mtime=0) as zipped:
        unpacked = HashingFile(zipped)
        with tarfile.open(fileobj=unpacked, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            add_sorted(tar, root, "")
    return unpacked.name(), packed.name(), packed.size


def as_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def described(blob, media_type):
    return {"mediaType": media_type, "digest": "sha256:" + hashlib.sha256(blob).hexdigest(), "size": len(blob)}


def image_documents(reference, diff_id, layer, entrypoint):
    """The config, manifest and index of an image of one layer, as bytes."""
    run = {"Env": [DEFAULT_PATH]}
    if entrypoint:
        run["Entrypoint"] = entrypoint
    config = as_json({
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    })
    kind = "application/vnd.oci.image."
    manifest = as_json({
        "schemaVersion": 2,
        "mediaType": kind + "manifest.v1+json",
        "config": described(config, kind + "config.v1+json"),
        "layers": [layer],
    })
    entry = described(manifest, kind + "manifest.v1+json")
    entry["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rsplit(":", 1)[1],
    }
    return config, manifest, as_json({"schemaVersion": 2, "manifests": [entry]})


def add_file(tar, name, size, content):
    entry = tarfile.TarInfo(name)
    entry.size = size
    tar.addfile(entry, content)


def add_bytes(tar, name, data):
    add_file(tar, name, len(data), io.BytesIO(data))


def blob_path(digest):
    return "blobs/sha256/" + digest.split(":", 1)[1]


def pack(out, reference, root, entrypoint):
    folder = os.path.dirname(os.path.abspath(out))
    with tempfile.TemporaryFile(dir=folder) as spool:
        diff_id, digest, size = write_layer(spool, root)
        layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": size}
        config, manifest, index = image_documents(reference, diff_id, layer, entrypoint)
        temp = f"{out}.{os.getpid()}.tmp"
        try:
            with tarfile.open(temp, "w", format=tarfile.PAX_FORMAT) as tar:
                add_bytes(tar, "oci-layout", as_json({"imageLayoutVersion": "1.0.0"}))
                add_bytes(tar, "index.json", index)
                for blob in (config, manifest):
                    add_bytes(tar, blob_path(described(blob, "")["digest"]), blob)
                spool.seek(0)
                add_file(tar, blob_path(digest), size, spool)
            os.rename(temp, out)
        finally:
            if os.path.exists(temp):
                os.unlink(temp)


def main(arguments):
    if len(arguments) < 3 or ":" not in arguments[1].rsplit("/", 1)[-1]:
        sys.exit("usage: oci_image.py OUT.tar NAME:TAG ROOTFS [ENTRYPOINT...]")
    out, reference, root, *entrypoint = arguments
    if not os.path.isdir(root):
        sys.exit(f"oci_image.py: {root} is not a directory")
    pack(out, reference, root, entrypoint)


if __name__ == "__main__":
    main(sys.argv[1:])
