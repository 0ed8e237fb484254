#!/usr/bin/env python3
"""Turns tools/velero_crds.txt into src/velero/crds_data.cc. With --check: only says whether that file is current."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools/velero_crds.txt"
OUTPUT = ROOT / "src/velero/crds_data.cc"
SIMPLE = {"string": "string", "bool": "boolean", "int": "integer", "object": "object"}
SELECTOR = {
    "type": "object",
    "properties": {
        "matchExpressions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"type": "string"},
                    "values": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
                },
                "required": ["key", "operator"],
            },
            "x-kubernetes-list-type": "atomic",
        },
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def apply_flag(schema, item, flag):
    target = item if flag.startswith("item-") else schema
    flag = flag.removeprefix("item-")
    if flag == "nullable":
        target["nullable"] = True
    elif flag == "atomic":
        target["x-kubernetes-map-type"] = "atomic"
    elif flag == "keep":
        schema["x-kubernetes-preserve-unknown-fields"] = item["x-kubernetes-preserve-unknown-fields"] = True
    elif flag.startswith("min"):
        target["minItems"] = int(flag[3:])
    elif flag.startswith("format="):
        item["format"] = flag[7:]
    elif flag.startswith("enum="):
        item["enum"] = flag[5:].split("|")
    elif flag == "default=":
        target["default"] = ""
    else:
        raise SystemExit(f"unknown flag {flag}")


def field(words, known):
    kind, flags = words[0], words[1:]
    base = kind.removeprefix("[]").removeprefix("map:")
    if base == "selector":
        item = json.loads(json.dumps(SELECTOR))
    elif base == "backupSpec":
        item = json.loads(json.dumps(known["Backup"]))
    else:
        item = {"type": SIMPLE[base]}
    schema = item
    if kind.startswith("[]"):
        schema = {"type": "array", "items": item}
    elif kind.startswith("map:"):
        schema = {"type": "object", "additionalProperties": item}
    for flag in flags:
        apply_flag(schema, item, flag)
    return schema, item


def crd(words):
    kind, plural, version = words[:3]
    names = {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower()}
    for word in words[3:]:
        names["shortNames"] = word.removeprefix("short=").split(",")
    schema = {"type": "object", "properties": {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": plural + ".velero.io", "labels": {"component": "velero"}},
        "spec": {"group": "velero.io", "names": names, "scope": "Namespaced", "versions": [{
            "name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]}}


def column(line):
    name, kind, path, *more = [part.strip() for part in line.split("|")]
    out = {"name": name, "type": kind, "jsonPath": path}
    for pair in more:
        key, value = pair.split("=")
        out[key] = int(value) if key == "priority" else value
    return out


def generate(text):
    crds, known, stack = [], {}, []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        if words[0] == "crd":
            crds.append(crd(words[1:]))
            version = crds[-1]["spec"]["versions"][0]
            root = version["schema"]["openAPIV3Schema"]
        elif words[0] == "column":
            version.setdefault("additionalPrinterColumns", []).append(column(line[len("column "):]))
        else:
            depth = (len(line) - len(line.lstrip(" "))) // 2
            parent = root if depth == 0 else stack[depth - 1]
            name = words[0].rstrip("*")
            schema, item = field(words[1:], known)
            parent.setdefault("properties", {})[name] = schema
            if words[0].endswith("*"):
                parent.setdefault("required", []).append(name)
            stack[depth:] = [item]
            if depth == 0 and name == "spec":
                known[crds[-1]["spec"]["names"]["kind"]] = item
    return crds


def render(crds):
    out = ["// Made by tools/generate_crds.py from tools/velero_crds.txt; do not edit.", '#include "velero/crds.h"', "",
           "namespace holdfast::velero::detail {", "", "const std::vector<std::string_view>& crd_texts() {",
           "  static const std::vector<std::string_view> texts = {"]
    for one in crds:
        text = json.dumps(one, separators=(",", ":"))
        parts = [text[i:i + 100] for i in range(0, len(text), 100)]
        out.append("\n".join(f'      R"({part})"' for part in parts) + ",")
    out += ["  };", "  return texts;", "}", "", "}  // namespace holdfast::velero::detail", ""]
    return "\n".join(out)


def main():
    text = render(generate(TABLE.read_text()))
    if "--check" in sys.argv[1:]:
        if OUTPUT.read_text() != text:
            raise SystemExit(f"{OUTPUT} is not what {TABLE} says: run tools/generate_crds.py")
        print("crds: current")
        return
    OUTPUT.write_text(text)


main()
