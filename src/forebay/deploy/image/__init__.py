"""The container image: its Dockerfile, the engine that builds it, the registry that it is pushed to."""
