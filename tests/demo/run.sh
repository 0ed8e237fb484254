#!/usr/bin/env bash
# The demo as a test: standard output is one JSON object, every check passed, Debian's restic reads what was written, and
# nothing is left behind.
# usage: tests/demo/run.sh PROGRAMS_DIR [sandbox|sandbox-s3|real]
#   sandbox      backups in the embedded directory
#   sandbox-s3   backups in a bucket of versitygw, with --store
#   real         complete Kubernetes clusters, backups at the demo's own versitygw; kubectl has to show what happened
# Exit code 77: this machine cannot run it, for the reason printed; with CI=true a missing peer is a failure.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
peers=$here/../peers
programs=$1
kind=${2:-sandbox}

skip() {
  echo "skipped: $1"
  exit 77
}
fail() {
  [[ ! -e $work/progress ]] || tail -n 30 "$work/progress" >&2
  echo "FAILED: $1" >&2
  exit 1
}
needs_peer() {
  local reason
  reason=$("$peers/peers.sh" path "$1" 2>&1) && return
  [[ ${CI:-} != true ]] || { echo "$reason" >&2; exit 1; }
  skip "$reason"
}

if ((EUID)); then skip "sites need root for their namespaces"; fi
if ! unshare -m -n -p -u -i --fork true 2>/dev/null; then skip "this machine makes no namespaces"; fi
command -v restic >/dev/null || { echo "restic is missing: ./dev packages test" >&2; exit 1; }
[[ $kind == sandbox ]] || needs_peer versitygw
[[ $kind != real ]] || needs_peer kubernetes

work=$(mktemp -d)
run=$work/run
demo=''
at_exit() {
  local status=$?
  trap - EXIT
  # The demo ends its sites when it is asked to; only then may its directory go.
  if [[ -n $demo ]] && kill -INT "$demo" 2>/dev/null; then wait "$demo" || true; fi
  "$peers/s3_servers.sh" stop "$work/s3"
  rm -rf --one-file-system "$work"
  exit $status
}
trap at_exit EXIT
trap 'exit 130' INT TERM

"$here/../../tools/image.sh" "$work/images/holdfast" "$programs/holdfast"
"$here/../../tools/image.sh" "$work/images/ledger" "$programs/ledger"
options=(-o json --keep --dir "$run" --images "$work/images" --applications "$here/../../deploy/demo"
  --report "$work/report.html")
case $kind in
sandbox) ;;
sandbox-s3)
  export AWS_ACCESS_KEY_ID=demo-test AWS_SECRET_ACCESS_KEY=demo-test-secret
  mkdir -p "$work/s3/data/backups"
  endpoint=$("$peers/s3_servers.sh" start versitygw "$work/s3" 0)
  options+=(--store s3://backups/some/prefix --store-endpoint "$endpoint")
  ;;
real) options+=(--clusters real --lab "$here/../lab") ;;
*) echo "run.sh: there is no kind '$kind'" >&2; exit 2 ;;
esac

# --- the run; while it goes on, kubectl looks at the site that will be lost

begin=$SECONDS
"$programs/holdfast" demo "${options[@]}" >"$work/report.json" 2>"$work/progress" &
demo=$!
# What kubectl prints of a site; Velero's definitions have no column for the phase of backups and restores, so that one is
# asked for.
look() {
  local get=("$run/lab/bin/kubectl" --kubeconfig "$run/lab/kubeconfig-$1" --request-timeout=5s
    get "backups,restores,schedules,podvolumebackups" -A)
  "${get[@]}" && "${get[@]}" --no-headers -o custom-columns=KIND:.kind,NAME:.metadata.name,PHASE:.status.phase
}
until grep -q '^the sites stay up' "$work/progress"; do
  kill -0 "$demo" 2>/dev/null || fail "the demo ended by itself"
  ((SECONDS - begin < 420)) || fail "the demo has not ended its story within 420 s"
  # What the site showed last, with backups in it.
  if [[ $kind == real ]] && look 1 >"$work/look" 2>/dev/null && grep -q Completed "$work/look"; then mv "$work/look" "$work/lost-site"; fi
  sleep 0.3 # between two looks
done
echo "the story took $((SECONDS - begin)) s"
cat "$work/progress"
! grep -q '^failed: ' "$work/progress" || fail "the demo failed"

python3 - "$work/report.json" "$work/report.html" "$kind" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
failed = [c["name"] + ": " + c["detail"] for c in report["checks"] if not c["passed"]]
print("\n".join(failed) or "all checks passed")
assert report["passed"] is True and not failed
assert len(report["checks"]) >= 14
assert [a["name"] for a in report["applications"]] == ["web-app1", "web-app2"]
assert report["clusters"] == ("real" if sys.argv[3] == "real" else "sandbox")
assert report["store"] == {"sandbox": "directory", "sandbox-s3": "s3://backups/some/prefix",
                           "real": "s3://holdfast-demo"}[sys.argv[3]]
for application in report["applications"]:
    print({k: v for k, v in application.items() if k != "steps"})
    assert application["steps"] and application["bytes_restored"] > 64 << 20
page = open(sys.argv[2]).read()
assert "<svg" in page and "src=" not in page
PY
member() { python3 -c 'import json, sys; v = json.load(open(sys.argv[1])); [v := v[k] for k in sys.argv[2:]]; print(v)' "$work/report.json" "$@"; }
backup=$(member restore backup)

# --- kubectl shows what happened

shows() {
  grep -qE "$2" "$1" || fail "kubectl does not show '$2': $(cat "$1")"
}
if [[ $kind == real ]]; then
  look 2 >"$work/other-site"
  cat "$work/lost-site" "$work/other-site"
  shows "$work/lost-site" '^velero +schedule.velero.io/demo +Enabled'
  shows "$work/lost-site" '^Schedule +demo +Enabled'
  (($(grep -cE '^Backup +demo-[0-9]+ +Completed' "$work/lost-site") >= 2)) || fail "the lost site shows no two backups"
  shows "$work/lost-site" '^velero +podvolumebackup.velero.io/demo-.* +Completed'
  shows "$work/other-site" "^velero +backup.velero.io/$backup "
  shows "$work/other-site" "^Backup +$backup +Completed"
  shows "$work/other-site" '^velero +restore.velero.io/demo '
  shows "$work/other-site" '^Restore +demo +Completed'
  (($(grep -cE "^velero +podvolumebackup.velero.io/$backup-.* +Completed" "$work/other-site") >= 2)) || fail "the other site does not show the volumes of $backup"
fi

# --- Debian's restic, with what the recovery kit has: the lost site's lock may still be there

secret() { sed -nE "s/^ *$1: *\"?([A-Za-z0-9+\/=]+)\"?\$/\1/p" "$run/outside/recovery.kit" | head -n 1 | base64 -d; }
export RESTIC_PASSWORD NO_PROXY='*' no_proxy='*'
RESTIC_PASSWORD=$(secret repository-password)
[[ -n $RESTIC_PASSWORD ]] || fail "the recovery kit has no repository password"
case $kind in
sandbox) repositories=$run/store/restic ;;
sandbox-s3) repositories=s3:$endpoint/backups/some/prefix/restic ;;
real)
  secret cloud >"$work/keys"
  AWS_ACCESS_KEY_ID=$(sed -n 's/^aws_access_key_id = //p' "$work/keys")
  AWS_SECRET_ACCESS_KEY=$(sed -n 's/^aws_secret_access_key = //p' "$work/keys")
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  repositories=s3:$(sed -nE 's/.*the store: .* at (http[^,]*),.*/\1/p' "$work/progress")/holdfast-demo/restic
  ;;
esac
for application in web-app1 web-app2; do
  restic --no-cache -r "$repositories/$application" check --no-lock --read-data >"$work/check.log" 2>&1 \
    || fail "restic check of $application: $(cat "$work/check.log")"
  grep -q 'no errors were found' "$work/check.log" || fail "restic check of $application: $(cat "$work/check.log")"
  echo "restic check --no-lock --read-data of $application: no errors were found"
done
restic --no-cache --no-lock -r "$repositories/web-app1" restore latest --tag "backup=$backup" --target "$work/theirs" \
  >"$work/restic.log" 2>&1 || fail "restic restore: $(cat "$work/restic.log")"
"$programs/holdfast" repo --no-cache --no-lock -r "$repositories/web-app1" restore latest --tag "backup=$backup" \
  --target "$work/ours" >"$work/ours.log" 2>&1 || fail "holdfast repo restore: $(cat "$work/ours.log")"
python3 "$here/same_tree.py" "$work/theirs" "$work/ours" || fail "the trees that restic and holdfast restored differ"

# --- the end: asked to go, it leaves nothing

kill -INT "$demo"
status=0
wait "$demo" || status=$?
demo=''
[[ $status == 0 ]] || fail "holdfast demo ended with $status"
[[ ! -e $run ]] || fail "the demo left its directory behind"
if grep -lsF "$run" /proc/[0-9]*/mountinfo >"$work/left"; then fail "mounts are left behind in $(cat "$work/left")"; fi
# The pattern comes by a pipe, or grep would find itself.
# shellcheck disable=SC2062
if echo "$run" | grep -lsFf - /proc/[0-9]*/cmdline >"$work/left"; then fail "processes are left behind: $(cat "$work/left")"; fi
echo "passed: $kind in $((SECONDS - begin)) s"
