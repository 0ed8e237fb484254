#!/usr/bin/env python3
"""Compares two restored trees: names, types, modes, owners, times, links, extended attributes, contents.

usage: same_tree.py ONE OTHER
"""
import hashlib
import os
import stat
import sys


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def describe(path):
    found = os.lstat(path)
    kind = stat.S_IFMT(found.st_mode)
    out = {"kind": kind, "mode": stat.S_IMODE(found.st_mode), "owner": (found.st_uid, found.st_gid), "time": found.st_mtime_ns}
    if stat.S_ISLNK(found.st_mode):
        out["target"] = os.readlink(path)
    else:
        out["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
    if stat.S_ISREG(found.st_mode):
        out["size"], out["content"], out["links"] = found.st_size, content(path), found.st_nlink
    return out


def tree(root):
    out = {}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            path = os.path.join(folder, name)
            inside = os.path.relpath(path, os.fsencode(root))
            out[inside] = describe(path)
    return out


def main():
    one, other = tree(sys.argv[1]), tree(sys.argv[2])
    differences = [p for p in sorted(one.keys() | other.keys()) if one.get(p) != other.get(p)]
    for path in differences[:10]:
        print(f"{os.fsdecode(path)!r}: {one.get(path)} / {other.get(path)}")
    size = sum(e.get("size", 0) for e in one.values())
    print(f"{len(one)} entries with {size} bytes compared, {len(differences)} differ")
    # The ledger's database alone has 64 MiB.
    return 1 if differences or size < 64 << 20 else 0


sys.exit(main())
