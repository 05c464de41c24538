"""Run by the environment that has healthchain: read each file of answers with its response model.

Prints one JSON object: file name to the list of what the model does not accept, as "place: type of the error".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from healthchain.models.responses.cdsresponse import CDSResponse
from pydantic import ValidationError

found: dict[str, list[str]] = {}
for name in sys.argv[1:]:
    try:
        answer = CDSResponse.model_validate_json(Path(name).read_bytes())
    except ValidationError as error:
        found[Path(name).name] = [".".join(map(str, e["loc"])) + ": " + e["type"] for e in error.errors()]
    else:
        found[Path(name).name] = []
        # What it read is what we sent, as far as it knows the field.
        assert len(answer.cards) == len(json.loads(Path(name).read_bytes())["cards"])
print(json.dumps(found))
