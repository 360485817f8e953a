"""What runs on a person's machine: the local AWS, deploying, running a job and showing its result."""
