"""What all tests share."""

from hypothesis import settings

# No test depends on time: a slow machine is no failure.
settings.register_profile("fanfold", deadline=None, print_blob=True)
settings.load_profile("fanfold")
