"""What is live on AWS: a service, its tasks and its queue, read into values and changed by calls."""
