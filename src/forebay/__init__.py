"""Background workers for Amazon SQS on Amazon ECS that never lose a job."""
