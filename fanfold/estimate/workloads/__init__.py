"""What each job has to do: the module of a job's name has ``workload``, from what is known of an input, a
``Local`` or a number of bytes, to a ``Workload``. A job without one is not modelled. It may have
``check``, which raises SourceError for a ``Local`` that the job refuses at a glance."""
