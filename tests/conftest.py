"""What holds for every test: examples that repeat, and no way to a real account.

Rules kept here and nowhere else:

1. Hypothesis draws the same examples in every run, so that a failure seen once can be seen again, and it judges no test
   by its speed. `FOREBAY_EXAMPLES=new` draws new ones, to look for more.
2. No test can reach AWS by accident: credentials and Region are made up, and the machine's own are out of reach.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("new", deadline=None, print_blob=True)
settings.load_profile("new" if os.environ.get("FOREBAY_EXAMPLES") == "new" else "same")

for name in [name for name in os.environ if name.startswith(("AWS_", "ECS_", "FOREBAY_", "COPILOT_", "QUEUE_"))]:
    if name not in ("FOREBAY_EXAMPLES", "FOREBAY_CHROMIUM"):
        del os.environ[name]

os.environ.update(
    AWS_ACCESS_KEY_ID="local",
    AWS_SECRET_ACCESS_KEY="local",
    AWS_REGION="eu-central-1",
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
)
