"""The page docs/settings.md, written from the settings themselves: ``python -m appliance.settings_page``."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from appliance.settings import DEFAULT_FILE, PREFIX, Settings

PAGE = Path(__file__).resolve().parent.parent / "docs/settings.md"

HEAD = f"""# Settings

One TOML file, `{DEFAULT_FILE}` or the one named by `preau run --config FILE`; each key can be overridden in the
environment as `{PREFIX}<KEY>` (lists with commas). All are checked at the start: a wrong key or value stops it with a
message that names them.

| key | default | what it is |
|---|---|---|
"""


def default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "`~/.local/share/preau`"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "not set"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def page() -> str:
    rows = [
        f"| `{name}` | {default(name, field)} | {field.description} |" for name, field in Settings.model_fields.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
