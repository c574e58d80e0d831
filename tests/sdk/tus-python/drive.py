"""Sends a file through tuspy, unmodified, and tells in one line of JSON how that went.

python drive.py --endpoint URL --key K --file PATH [--chunk BYTES] [--store PATH] [--retries N] [--checksum] [--metadata]
"""

import argparse
import json
import sys

from tusclient import client
from tusclient.storage import filestorage

parser = argparse.ArgumentParser()
parser.add_argument("--endpoint", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--file", required=True)
parser.add_argument("--chunk", type=int)
parser.add_argument("--store")
parser.add_argument("--retries", type=int, default=0)
parser.add_argument("--checksum", action="store_true")
parser.add_argument("--metadata", action="store_true")
given = parser.parse_args()

tus = client.TusClient(given.endpoint, headers={"Authorization": f"Bearer {given.key}"})
options = {"file_path": given.file, "retries": given.retries, "retry_delay": 1, "upload_checksum": given.checksum}
if given.chunk:
    options["chunk_size"] = given.chunk
if given.metadata:
    options["metadata"] = {"filename": given.file.rsplit("/", 1)[-1]}
if given.store:
    options.update(store_url=True, url_storage=filestorage.FileStorage(given.store))
try:
    uploader = tus.uploader(**options)
    uploader.upload()
except Exception as error:  # whatever it is, the test wants to see it
    print(json.dumps({"error": repr(error), "status": getattr(error, "status_code", None)}))
    sys.exit(1)
print(json.dumps({"url": uploader.url, "offset": uploader.offset}))
