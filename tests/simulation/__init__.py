"""A run in virtual time: the engine's own code against simulated services, each run made from one seed."""
