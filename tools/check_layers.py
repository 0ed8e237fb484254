#!/usr/bin/env python3
"""Fails when a file of src/ includes a module that tools/layers.txt does not allow, or holds a `throw`.

usage: check_layers.py ROOT
Tests (*_test.cc, fake_*.h) may also use the sandbox's API server and every module below their own level's users.
"""
import pathlib
import re
import sys


def allowed_includes(path):
    table = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            module, _, names = line.partition(":")
            table[module.strip()] = set(names.split())
    return table


def main():
    root = pathlib.Path(sys.argv[1])
    table = allowed_includes(root / "tools/layers.txt")
    faults = []
    for path in sorted((root / "src").rglob("*.[ch]*")):
        module = path.relative_to(root / "src").parts[0]
        place = path.relative_to(root)
        if module not in table:
            faults.append(f"{place}: module {module} is not in tools/layers.txt")
            continue
        is_test = path.name.endswith("_test.cc")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([a-z0-9_]+)/', line)
            if match and match[1] in table and match[1] != module:
                if match[1] not in table[module] and not (is_test and match[1] in ("sandbox", "objstore")):
                    faults.append(f"{place}:{number}: {module} may not include {match[1]}")
            if re.search(r"(^|[^\w\"])throw\b\s*[\w;:(]", line.split("//")[0]) and not is_test:
                faults.append(f"{place}:{number}: errors are values here, not exceptions")
    print("\n".join(faults) if faults else f"layers: {len(table)} modules, no wrong include")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
