"""Settings that contradict each other or AWS: read from manifest, template, handler and what is live."""
