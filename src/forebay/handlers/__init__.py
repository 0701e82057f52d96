"""The user's code: which handler does a job, and where it runs."""
