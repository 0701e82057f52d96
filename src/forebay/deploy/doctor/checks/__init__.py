"""The checks by topic. A new module here is listed in `examine.TOPICS`."""
