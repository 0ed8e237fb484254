#!/usr/bin/env bash
# The demo on the sandbox, as a test: standard output is one JSON object, every check passed, nothing is left behind.
# usage: tests/demo/run.sh PROGRAMS_DIR. Exit code 77: namespaces cannot be made here.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
programs=$1
if ((EUID)); then echo "skipped: sites need root for their namespaces"; exit 77; fi
if ! unshare -m -n -p -u -i --fork true 2>/dev/null; then echo "skipped: this machine makes no namespaces"; exit 77; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/../../tools/image.sh" "$work/images/holdfast" "$programs/holdfast"
"$here/../../tools/image.sh" "$work/images/ledger" "$programs/ledger"
status=0
"$programs/holdfast" demo -o json --dir "$work/run" --images "$work/images" --applications "$here/../../deploy/demo" \
  --report "$work/report.html" >"$work/report.json" || status=$?
python3 - "$work/report.json" "$work/report.html" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
failed = [c["name"] + ": " + c["detail"] for c in report["checks"] if not c["passed"]]
print("\n".join(failed) or "all checks passed")
assert report["passed"] is True and not failed
assert len(report["checks"]) >= 8
assert [a["name"] for a in report["applications"]] == ["web-app1", "web-app2"]
for application in report["applications"]:
    print({k: v for k, v in application.items() if k != "steps"})
    assert application["steps"] and application["bytes_restored"] > 64 << 20
page = open(sys.argv[2]).read()
assert "<svg" in page and "src=" not in page
PY
[[ $status == 0 ]] || { echo "holdfast demo ended with $status"; exit 1; }
[[ ! -e $work/run ]] || { echo "the demo left its directory behind"; exit 1; }
