"""The simulator and the conformance suites, shipped so that users can lean on them."""
