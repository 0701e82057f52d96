"""What is deployed, asked of AWS and brought into the shape of `doctor.facts`."""
