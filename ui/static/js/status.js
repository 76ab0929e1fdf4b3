// The status page keeps itself current: it reads itself again and exchanges the part that changes.

const INTERVAL_MS = 2000;

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("facts");
    if (response.ok && fresh) document.getElementById("facts").replaceChildren(...fresh.childNodes);
    document.body.dataset.state = "current";
  } catch {
    document.body.dataset.state = "unreachable";
  }
}

setInterval(refresh, INTERVAL_MS);
