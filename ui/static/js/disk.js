// How the recording goes: what the disk makes of it, what is missing, until when it is planned.

import { clock, text } from "./strings.js";

const KNOWN = ["disk_full", "disk_read_only", "disk_error", "disk_slow", "overflow", "no_video"];

/** A sentence about what is wrong with the recording of `lesson`; null when nothing is. */
export function trouble(lesson) {
  if (lesson?.state !== "live" || !KNOWN.includes(lesson.incident)) return null;
  return text(lesson.incident, { kept: clock(lesson.recorded_s) });
}

/** What else is to be said of the recording: its planned end, and what is missing. */
export function facts(lesson) {
  if (lesson?.state !== "live") return "";
  const said = [];
  if (lesson.planned_end) {
    const time = new Date(lesson.planned_end * 1000);
    said.push(text("untilBell", { time: time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) }));
  }
  const missing = { time: clock(lesson.lost_s ?? 0), count: lesson.gaps };
  if (lesson.gaps) said.push(lesson.gaps === 1 ? text("oneGap", missing) : text("gaps", missing));
  return said.join(" · ");
}

/** For how long there is room on the disk, from the kit's `disk` event. While a lesson is live only when that is little. */
export function room(disk, live) {
  if (!disk || (live && disk.incident !== "disk_low")) return "";
  if (disk.incident && disk.incident !== "disk_low") return text(`start_${disk.incident}`);
  if (disk.minutes >= 120) return text("roomHours", { count: Math.floor(disk.minutes / 60) });
  return text("roomMinutes", { count: disk.minutes });
}

/** Why a command that the kit refused with 503 was: a sentence, or null when it said nothing of the disk. */
export function refusal(busy, answer) {
  if (answer.status !== 503) return null;
  const detail = answer.data?.detail ?? "";
  return busy === "stopping" && detail.startsWith("disk_slow") ? text("closing") : null;
}
