"""One sandbox site for the fault stories, its API as Python values, and holdfast's programs as processes.

A story gets a private mount namespace, so that small file systems can be mounted for it and nothing of it stays. The
site's volumes and a small store ("full") lie on such file systems. Controllers and agents run either as pods, by
`holdfast install`, or as processes of this machine that a story starts, kills and watches by their pid.
"""
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VELERO = "/apis/velero.io/v1/namespaces/velero/"
FINAL = {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}


def skip(reason):
    print("skipped: " + reason)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def enter_private_mounts():
    """Starts this program anew in a mount namespace of its own."""
    if os.geteuid() != 0:
        skip("sites need root for their namespaces")
    if os.environ.get("HOLDFAST_FAULTS_INSIDE") == "1":
        return
    if subprocess.run(["unshare", "-m", "-n", "-p", "-u", "-i", "--fork", "true"], stderr=subprocess.DEVNULL).returncode:
        skip("this machine makes no namespaces")
    os.environ["HOLDFAST_FAULTS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, *sys.argv])


def make_bucket(endpoint, name):
    """A bucket of an S3 server, with the keys of the environment. They go by standard input: arguments are seen by everybody."""
    keys = os.environ["AWS_ACCESS_KEY_ID"] + ":" + os.environ["AWS_SECRET_ACCESS_KEY"]
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    subprocess.run(["curl", "-fsS", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:s3", "--config", "-",
                    "-H", "x-amz-content-sha256: " + nothing, "-X", "PUT", f"{endpoint}/{name}"],
                   input=f'user = "{keys}"\n', text=True, check=True)


class Refused(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code


class Deadline(Exception):
    pass


def eventually(look, what, limit=30.0, every=0.05):
    """Waits until look() answers something true, and answers it."""
    end = time.monotonic() + limit
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Deadline(f"after {limit:.0f} s still not: {what() if callable(what) else what}")
        time.sleep(every)


class Api:
    def __init__(self, kubeconfig):
        config = json.load(open(kubeconfig))
        cluster = config["clusters"][0]["cluster"]
        self.server = cluster["server"]
        self.token = config["users"][0]["user"]["token"]
        import base64
        self.ca_pem = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=self.ca_pem)

    def call(self, method, path, body=None, kind="application/json"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data=data, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        if data is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")) from None

    def get(self, path):
        """The object, or None where there is none."""
        try:
            return self.call("GET", path)
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    def items(self, path):
        return self.call("GET", path)["items"]

    def create(self, path, body):
        return self.call("POST", path, body)

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path):
        try:
            self.call("DELETE", path)
        except Refused as refusal:
            if refusal.code != 404:
                raise


class Site:
    """A site that is up. `programs` is the build's directory."""

    def __init__(self, programs, volumes_mib=96, full_store_mib=24):
        self.program = os.path.join(os.path.abspath(programs), "holdfast")
        self.programs = os.path.abspath(programs)
        self.work = tempfile.mkdtemp(prefix="hf-faults-")
        self.run = self.work + "/run"
        self.store = self.run + "/store"
        self.full_store = self.store + "/full"
        self.volumes = self.run + "/site1/volumes"
        self.processes = []
        try:
            for directory, size in ((self.full_store, full_store_mib), (self.volumes, volumes_mib)):
                os.makedirs(directory)
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", directory], check=True)
            subprocess.run([ROOT + "/tools/image.sh", self.work + "/images/holdfast", self.program], check=True)
            self.log = open(self.work + "/sandbox.log", "w+")
            self.kubeconfig = self.run + "/site1/kubeconfig"
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self):
        self.sandbox = subprocess.Popen(
            [self.program, "sandbox", "up", "--dir", self.run, "--sites", "1", "--images", self.work + "/images"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        if not self.sandbox.stdout.readline():
            raise RuntimeError("the sandbox did not come up: " + open(self.work + "/sandbox.log").read())
        self.api = Api(self.kubeconfig)
        self.init = self._init_pid()

    def boot_again(self):
        """The site is lost whole, and boots with what it had written."""
        os.kill(self.init, signal.SIGKILL)
        self.sandbox.terminate()
        self.sandbox.wait()
        self._boot()

    def may(self, account, path):
        """Whether a service account of the installation may read that."""
        issued = self.api.create(f"/api/v1/namespaces/velero/serviceaccounts/{account}/token", {})
        request = urllib.request.Request(self.api.server + path)
        request.add_header("Authorization", "Bearer " + issued["status"]["token"])
        try:
            urllib.request.urlopen(request, context=self.api.context, timeout=30).close()
            return True
        except urllib.error.HTTPError as error:
            if error.code != 403:
                raise
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.kill()
        if getattr(self, "sandbox", None):
            self.sandbox.terminate()
            self.sandbox.wait()
        for directory in (self.full_store, self.volumes):
            subprocess.run(["umount", "-l", directory], stderr=subprocess.DEVNULL)
        if not os.environ.get("HOLDFAST_FAULTS_KEEP"):
            shutil.rmtree(self.work, ignore_errors=True)

    def _init_pid(self):
        """The site's pid 1, by the file that it was started with."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                words = open(f"/proc/{entry}/cmdline").read().split("\0")
                inner = [line for line in open(f"/proc/{entry}/status") if line.startswith("NSpid:")][0].split()
            except (OSError, IndexError):
                continue
            if "sandbox-internal" in words and self.run + "/site1/site.json" in words and inner[-1] == "1" and len(inner) > 2:
                return int(entry)
        raise RuntimeError("the site's pid 1 was not found")

    # ---- programs

    def environment(self, extra=None):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RESTIC_", "AWS_", "VELERO_", "KUBE"))}
        kept["KUBECONFIG"] = self.kubeconfig
        kept["HOME"] = self.work
        kept.update(extra or {})
        return kept

    def cli(self, *words, limit=90, extra=None):
        return subprocess.run([self.program, *words], env=self.environment(extra), capture_output=True, text=True,
                              timeout=limit)

    def install(self, replicas=1):
        done = self.cli("install", "--store-directory", self.store, "--no-default-backup-location", "--use-node-agent",
                        "--site", "a", "--replicas", str(replicas), "--wait")
        if done.returncode:
            raise RuntimeError(done.stderr + done.stdout)

    def install_types(self):
        """CRDs, namespace and rights, and a pod in the agent's place: the programs are processes of the story."""
        for words in (["--crds-only"], []):
            printed = self.cli("install", "--store-directory", self.store, "--use-node-agent", "--no-default-backup-location",
                               *words, "--dry-run", "-o", "json")
            if printed.returncode:
                raise RuntimeError(printed.stderr)
            objects = json.loads(printed.stdout)
            for item in objects.get("items", [objects]):
                path = {"CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                        "Namespace": "/api/v1/namespaces"}.get(item["kind"])
                if path and self.api.get(path + "/" + item["metadata"]["name"]) is None:
                    self.api.create(path, item)
        eventually(lambda: self.api.get(VELERO + "backups"), "the types are served")
        self.api.create("/api/v1/namespaces/velero/pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "agent-place", "namespace": "velero", "labels": {"name": "node-agent"}},
            "spec": {"containers": [{"name": "a", "image": "localhost/holdfast:1", "command": ["/bin/sleep", "1000000"]}]}})
        self.pod_ready("velero", "agent-place")

    def spawn(self, *words, extra=None, log="process", inside=False):
        """A process of holdfast; `inside`: in the site's mounts, where the volumes of its pods are."""
        command = [self.program, *words]
        if inside:
            # /proc of the site is that of its own processes; this one is none of them, and needs itself there.
            command = ["nsenter", "-t", str(self.init), "-m", "--", "unshare", "-m", "--propagation", "slave", "--",
                       "/bin/sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh", *command]
        extra = dict(extra or {})
        if inside and "LD_PRELOAD" in extra:
            command[-len(words) - 1:-len(words)] = ["env", "LD_PRELOAD=" + extra.pop("LD_PRELOAD"), self.program]
        with open(f"{self.work}/{log}.log", "a") as sink:
            process = subprocess.Popen(command, env=self.environment(extra), stdout=sink, stderr=sink)
        self.processes.append(process)
        return process

    def controller(self, name="one", kubeconfig=None, extra=None, lease="30s"):
        return self.spawn("controller", "--site", "a", "--pod-name", name, "--lease-duration", lease, "--metrics-address",
                          "127.0.0.1:0", "--restore-helper-image", "localhost/holdfast:1", "--scratch-dir", self.work,
                          "--restore-sync-wait", "5s",
                          extra=dict({"KUBECONFIG": kubeconfig or self.kubeconfig}, **(extra or {})),
                          log="controller-" + name)

    def agent(self, name="one", kubeconfig=None, extra=None):
        return self.spawn("node-agent", "--node-name", "site1", "--host-pods", "/var/lib/kubelet/pods",
                          "--metrics-address", "127.0.0.1:0",
                          extra=dict({"KUBECONFIG": kubeconfig or self.kubeconfig}, **(extra or {})),
                          log="agent-" + name, inside=True)

    def log_of(self, name):
        try:
            return open(f"{self.work}/{name}.log").read()
        except OSError:
            return ""

    def bridge_address(self):
        shown = subprocess.run(["nsenter", "-t", str(self.init), "-n", "ip", "-j", "link", "show", "cni0"],
                               capture_output=True, text=True, check=True)
        return json.loads(shown.stdout)[0]["address"]

    def print_logs(self):
        """What the containers of the site, and the processes of this story, have said last."""
        directory = self.run + "/site1/node/logs/"
        paths = [directory + name for name in sorted(os.listdir(directory))] if os.path.isdir(directory) else []
        paths += [self.work + "/" + name for name in sorted(os.listdir(self.work)) if name.endswith(".log")]
        for path in paths:
            lines = open(path, errors="replace").read().splitlines()[-40:]
            if lines:
                print("---- " + path, *lines, sep="\n")

    @staticmethod
    def kill(process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    # ---- objects

    def make(self, kind, name, spec, labels=None):
        plural = {"BackupStorageLocation": "backupstoragelocations", "Backup": "backups", "Restore": "restores",
                  "Schedule": "schedules", "DeleteBackupRequest": "deletebackuprequests"}[kind]
        return self.api.create(VELERO + plural, {
            "apiVersion": "velero.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "velero", "labels": labels or {}}, "spec": spec})

    def location(self, name, directory, read_only=False, default=False):
        spec = {"provider": "holdfast.dev/directory", "objectStorage": {"bucket": name}, "config": {"path": directory}, "default": default}
        if read_only:
            spec["accessMode"] = "ReadOnly"
        return self.make("BackupStorageLocation", name, spec)

    def status(self, plural, name):
        found = self.api.get(VELERO + plural + "/" + name)
        return (found or {}).get("status", {})

    def phase(self, plural, name, phases, limit=60):
        """Waits for one of the phases and answers the status."""
        wanted = {phases} if isinstance(phases, str) else set(phases)
        return eventually(lambda: self.status(plural, name).get("phase") in wanted and self.status(plural, name),
                          lambda: f"{plural}/{name} in {sorted(wanted)}; it is {self.status(plural, name)}", limit)

    def available(self, name):
        return self.phase("backupstoragelocations", name, "Available")

    def pod_ready(self, ns, name, limit=60):
        def look():
            pod = self.api.get(f"/api/v1/namespaces/{ns}/pods/{name}")
            return any(c["type"] == "Ready" and c["status"] == "True"
                       for c in (pod or {}).get("status", {}).get("conditions", []))
        eventually(look, f"pod {ns}/{name} is ready", limit)

    def make_app(self, ns, files, security=None):
        """A namespace with a pod whose volume holds these files, and a ConfigMap. `security`: its securityContext."""
        self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        base = f"/api/v1/namespaces/{ns}/"
        self.api.create(base + "configmaps", {"apiVersion": "v1", "kind": "ConfigMap",
                                              "metadata": {"name": "settings"}, "data": {"colour": "blue"}})
        self.api.create(base + "persistentvolumeclaims", {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}})
        eventually(lambda: self.api.get(base + "serviceaccounts/default"), "the service account is there")
        self.api.create(base + "pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "app", "labels": {"app": "app"}},
            "spec": {"terminationGracePeriodSeconds": 0,
                     "containers": [{"name": "c", "image": "localhost/holdfast:1",
                                     "command": ["/bin/sleep", "1000000"], "securityContext": security or {},
                                     "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                     "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}})
        self.pod_ready(ns, "app")
        for name, content in files.items():
            with open(self.volume(ns) + "/" + name, "wb") as file:
                file.write(content)

    def volume(self, ns, claim="data"):
        """The directory behind a claim."""
        pvc = self.api.get(f"/api/v1/namespaces/{ns}/persistentvolumeclaims/{claim}")
        pv = self.api.get("/api/v1/persistentvolumes/" + pvc["spec"]["volumeName"])
        source = pv["spec"].get("local") or pv["spec"].get("hostPath")
        return source["path"]

    def files(self, ns):
        """The files in the volume of that namespace's app."""
        out = {}
        directory = self.volume(ns)
        for name in os.listdir(directory):
            if os.path.isfile(directory + "/" + name):
                out[name] = open(directory + "/" + name, "rb").read()
        return out

    def drop_namespace(self, ns):
        self.api.delete("/api/v1/namespaces/" + ns)
        eventually(lambda: self.api.get("/api/v1/namespaces/" + ns) is None, f"namespace {ns} is gone")

    def backup(self, name, limit=60, **spec):
        self.make("Backup", name, dict({"defaultVolumesToFsBackup": True}, **spec))
        return self.phase("backups", name, FINAL, limit)

    def restore(self, name, limit=60, **spec):
        self.make("Restore", name, spec)
        return self.phase("restores", name, FINAL, limit)


class Checks:
    """Collects what does not hold, with the row it belongs to."""

    def __init__(self):
        self.failed = []
        self.count = 0
        self.row = ""
        self.started = time.monotonic()

    def begin(self, row):
        self.row = row
        print(f"[{time.monotonic() - self.started:6.1f} s] {row}", flush=True)

    def that(self, holds, text):
        self.count += 1
        if not holds:
            self.failed.append(f"{self.row}: {text}")
            print(f"  FAILED {text}", flush=True)

    def contains(self, text, *parts):
        for part in parts:
            self.that(part in text, f"{part!r} is not in {text!r}")

    def end(self):
        took = time.monotonic() - self.started
        print(f"{self.count} checks, {len(self.failed)} failed, {took:.1f} s")
        sys.exit(1 if self.failed else 0)
