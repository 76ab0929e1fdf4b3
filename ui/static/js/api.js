// Calls of /api/v1. A call never throws: status 0 means that the kit could not be reached.

export async function call(method, path, body) {
  const options = { method, headers: {}, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(`/api/v1${path}`, options);
    const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
    return {
      ok: response.ok,
      status: response.status,
      data: isJson ? await response.json() : null,
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
    };
  } catch {
    return { ok: false, status: 0, data: null, retryAfter: 0 };
  }
}
