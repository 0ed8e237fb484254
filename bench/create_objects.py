#!/usr/bin/env python3
"""Makes ConfigMaps of 1 KiB and Secrets of 256 bytes, many at once, and prints how many seconds that took.

usage: create_objects.py SERVER CA CERTIFICATE KEY NAMESPACE CONFIG_MAPS SECRETS AT_ONCE

Bare POSTs over connections that stay open: with as many at once as a restore uses, it is what the API server allows.
"""
import base64
import http.client
import json
import queue
import ssl
import sys
import threading
import time
import urllib.parse


def documents(namespace, config_maps, secrets):
    for i in range(config_maps):
        metadata = {"name": f"c{i:05}", "namespace": namespace}
        yield "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": f"{i:05}" + "x" * 1019}}
    for i in range(secrets):
        metadata = {"name": f"s{i:05}", "namespace": namespace}
        value = base64.b64encode(f"{i:05}".encode() + b"y" * 251).decode()
        yield "secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"value": value}}


def post(server, context, namespace, jobs, failures):
    connection = http.client.HTTPSConnection(server.hostname, server.port, context=context, timeout=60)
    while True:
        try:
            kind, document = jobs.get_nowait()
        except queue.Empty:
            return
        connection.request("POST", f"/api/v1/namespaces/{namespace}/{kind}", json.dumps(document), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            failures.append(text.decode(errors="replace")[:200])


def main(server, ca, certificate, key, namespace, config_maps, secrets, at_once):
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    jobs, failures = queue.SimpleQueue(), []
    for job in documents(namespace, int(config_maps), int(secrets)):
        jobs.put(job)
    arguments = (urllib.parse.urlsplit(server), context, namespace, jobs, failures)
    threads = [threading.Thread(target=post, args=arguments) for _ in range(int(at_once))]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures or not jobs.empty():
        sys.exit(f"{len(failures)} objects were refused, the first: {failures[:1]}")
    print(f"{time.monotonic() - begin:.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 9:
        sys.exit(__doc__)
    main(*sys.argv[1:])
