"""``python -m appliance`` is the command `preau`."""

from appliance.cli import main

main()
