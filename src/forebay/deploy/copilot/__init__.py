"""From a Worker Service of AWS Copilot to a manifest of ours. Pure: texts and values come in, values go out."""
