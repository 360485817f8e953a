"""How each job's result is drawn: the module of a job's name has ``draw``, from a summary to its ``Result``.
A job without one gets a table (``any_job``)."""
