// Uploading through a session: all files land in one commit, or none does.
import { ApiError, proof, sentence } from "../api/client";
import { sessions } from "../api/endpoints";
import { type Planned, batches, parts, sameOrigin } from "./plan";

/** Files that go up side by side. */
const FILES_AT_ONCE = 3;
/** Paths of one request to delete. */
const DELETES_MAX = 1_000;
const ATTEMPTS_MAX = 3;

export type Target = { org: string; repo: string };
export type Progress = (file: File, sent: number) => void;

/** Uploads the files and commits them; rolls everything back if one fails or `signal` says so. */
export async function upload(
  target: Target,
  files: Planned[],
  message: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> {
  return inSession(target, message, async (session) => {
    const waiting = [...files];
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        signal.throwIfAborted();
        const { file, path } = next;
        await store(target, session, file, path, (sent) => progress(file, sent), signal);
      }
    };
    const ended = await Promise.allSettled(
      Array.from({ length: FILES_AT_ONCE }, () =>
        lane().catch((error: unknown) => {
          waiting.length = 0;
          throw error;
        }),
      ),
    );
    for (const one of ended) if (one.status === "rejected") throw one.reason;
    signal.throwIfAborted();
  });
}

/** Deletes the objects in one commit. */
export async function remove(target: Target, paths: string[], message: string): Promise<string> {
  return inSession(target, message, async (session) => {
    for (const batch of batches(paths, DELETES_MAX))
      await sessions.remove(target.org, target.repo, session, batch);
  });
}

/** The commit of what `work` did in a session of its own. */
async function inSession(
  { org, repo }: Target,
  message: string,
  work: (session: string) => Promise<void>,
): Promise<string> {
  const { session_id } = await sessions.open(org, repo);
  try {
    await work(session_id);
    const { commit_id } = await sessions.commit(org, repo, session_id, message);
    return commit_id ?? "";
  } catch (error) {
    await sessions.rollback(org, repo, session_id).catch(() => undefined);
    throw error;
  }
}

async function store(
  target: Target,
  session: string,
  file: File,
  path: string,
  progress: (sent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { org, repo } = target;
  const described = {
    content_type: file.type || "application/octet-stream",
    size_bytes: file.size,
  };
  const pieces = parts(file.size);
  if (!pieces) {
    const { upload_url, upload_token } = await sessions.beginUpload(org, repo, session, path);
    const etag = await put(upload_url, file, progress, signal);
    const checksum = etag.replace(/^"|"$/g, "");
    const landed = { upload_token, ...described, ...(checksum ? { checksum } : {}) };
    await sessions.finishUpload(org, repo, session, path, landed);
    return;
  }
  const { upload_id, upload_token } = await sessions.beginParts(org, repo, session, path);
  const done: { part_number: number; etag: string }[] = [];
  for (const piece of pieces) {
    const { upload_url } = await sessions.part(org, repo, {
      session_id: session,
      path,
      upload_id,
      upload_token,
      part_number: piece.number,
    });
    const sent = (bytes: number) => progress(piece.start + bytes);
    done.push({
      part_number: piece.number,
      etag: await put(upload_url, file.slice(piece.start, piece.end), sent, signal),
    });
  }
  await sessions.finishParts(org, repo, session, path, {
    upload_id,
    upload_token,
    parts: done,
    ...described,
  });
}

/** Puts the bytes, again if the connection breaks; the ETag of the answer. */
async function put(
  url: string,
  body: Blob,
  progress: (sent: number) => void,
  signal: AbortSignal,
): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await putOnce(sameOrigin(url), body, progress, signal);
    } catch (error) {
      const broken = error instanceof ApiError && (error.status === 0 || error.status >= 500);
      if (!broken || attempt >= ATTEMPTS_MAX || signal.aborted) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** attempt));
    }
  }
}

// Only XMLHttpRequest tells how much of a body is sent.
function putOnce(
  url: string,
  body: Blob,
  progress: (sent: number) => void,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    for (const [name, value] of Object.entries(proof())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => {
      signal.removeEventListener("abort", stop);
      if (request.status >= 200 && request.status < 300) {
        progress(body.size);
        resolve(request.getResponseHeader("ETag") ?? "");
      } else {
        reject(refused(request));
      }
    };
    request.onerror = () =>
      reject(new ApiError(0, "UNREACHABLE", "The connection broke while the file was being sent."));
    request.onabort = () => reject(new DOMException("canceled", "AbortError"));
    signal.addEventListener("abort", stop);
    request.send(body);
  });
}

function refused(request: XMLHttpRequest): ApiError {
  try {
    const { message, code, request_id } = JSON.parse(request.responseText) as Record<
      string,
      string
    >;
    return new ApiError(request.status, code ?? "", sentence(message ?? ""), request_id);
  } catch {
    return new ApiError(request.status, "", `The server answered with status ${request.status}.`);
  }
}
