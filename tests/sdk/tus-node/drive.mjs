// Sends a file through tus-js-client, unmodified, and tells in one line of JSON how that went.
//
//   node drive.mjs --modules DIR --endpoint URL --key K --file PATH [--chunk BYTES] [--store PATH] [--retries a,b] [--override]
//                  [--parallel N] [--defer] [--with-creation] [--filename NAME]
import { createRequire } from "node:module";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { PassThrough } from "node:stream";

const given = process.argv.slice(2);
const flag = (name) => given.includes(`--${name}`);
const value = (name, otherwise) => {
  const at = given.indexOf(`--${name}`);
  return at < 0 ? otherwise : given[at + 1];
};
const require = createRequire(join(resolve(value("modules")), "index.js"));
const tus = require("tus-js-client");

const path = value("file");
const chunk = value("chunk") && Number(value("chunk"));
const store = value("store");
const requests = [];
const filename = value("filename", path.split("/").pop());
const options = {
  endpoint: value("endpoint"),
  headers: { Authorization: `Bearer ${value("key")}` },
  metadata: { filename, filetype: "" },
  chunkSize: chunk ?? Infinity,
  retryDelays: value("retries", "0,100,200,400,800,1600,3200").split(",").map(Number),
  overridePatchMethod: flag("override"),
  parallelUploads: Number(value("parallel", "1")),
  uploadDataDuringCreation: flag("with-creation"),
  uploadLengthDeferred: flag("defer"),
  ...(store ? { urlStorage: new tus.FileUrlStorage(store) } : {}),
  onAfterResponse: (request, response) => {
    requests.push([request.getMethod(), response.getStatus(), response.getHeader("Upload-Offset") ?? null]);
  },
};

const tell = (outcome) => {
  console.log(JSON.stringify({ ...outcome, requests }));
  process.exit(outcome.error ? 1 : 0);
};

// Of a file the client knows the length whatever is said; only of a mere stream it does not.
const source = flag("defer") ? createReadStream(path).pipe(new PassThrough()) : createReadStream(path);
const upload = new tus.Upload(source, {
  ...options,
  onSuccess: () => tell({ url: upload.url }),
  onError: (error) => {
    const response = error.originalResponse;
    tell({ error: error.message, status: response?.getStatus() ?? null, body: response?.getBody() ?? null, url: upload.url });
  },
});
if (store) {
  const previous = await upload.findPreviousUploads();
  if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
}
upload.start();
