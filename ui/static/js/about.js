// Subject, class and teacher of the lesson to come. This browser remembers what was said last: Start alone suffices.

const KEPT = "preau-about";
const NAMES = ["subject", "group", "teacher"];
const element = (id) => document.getElementById(id);

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {}; // no storage, or not ours
  }
}

/** Wires the fields of the page; `said()` is what goes with Start. */
export function setUpAbout() {
  const known = kept();
  for (const name of NAMES) {
    element(name).value = known[name] ?? "";
    element(name).addEventListener("input", show);
  }

  function said() {
    const about = Object.fromEntries(NAMES.map((name) => [name, element(name).value.trim()]));
    try {
      localStorage.setItem(KEPT, JSON.stringify(about));
    } catch {
      // said anew next time
    }
    return about;
  }

  function show() {
    element("about-said").textContent = NAMES.map((name) => element(name).value.trim()).filter(Boolean).join(" · ");
  }

  show();
  return { said };
}
